use nexus_actors::domain::inquiry::Priority::{High, Low, Medium};

use super::Topic;

pub const TOPICS: &[Topic] = &[
    Topic {
        priority: Medium,
        subjects: ["Return label for {order}", "How do I send the {product} back?"],
        messages: [
            "I would like to return the {product} from order {order}. It works, but it is larger than I \
                thought. Where do I get a label?",
            "There was no return label in the box. I want to send {order} back within the thirty days. \
                What do I have to do?",
        ],
        replies: [
            "You will find the label under \"My orders\", \"Return\"; no printer is needed, as the parcel \
                shop can print it from the code. The refund of {amount} follows within five days after the \
                parcel has reached us.",
            "I have registered the return of order {order} and sent the label to your email address. \
                Please put the delivery note in the box so that we can match it.",
        ],
    },
    Topic {
        priority: High,
        subjects: ["Wrong item in the box", "I got something else than I ordered"],
        messages: [
            "I ordered the {product} and got a set of cables. The label on the box has my name and \
                {order} on it, so somebody mixed it up.",
            "You sent me the right model in the wrong variant: it has a US plug. I need the European one \
                for {city}. Please exchange it.",
        ],
        replies: [
            "That was our mistake, and I apologise. The right {product} leaves our warehouse today; a \
                courier will collect the wrong item when it is delivered, so you do not have to go anywhere.",
            "I have reserved the right variant for you, and it will be sent as express. Please keep the \
                wrong one until you receive the return label tomorrow; there is no hurry with it.",
        ],
    },
    Topic {
        priority: Low,
        subjects: ["Exchange for another colour", "Can I swap the {product}?"],
        messages: [
            "The {product} is fine, but the colour does not match our furniture. Could I exchange it for \
                the white one?",
            "I chose graphite and would prefer sand. The box has been opened, but nothing was used. Is an \
                exchange still possible?",
        ],
        replies: [
            "Gladly. I have reserved the other colour for you for ten days; it is shipped as soon as the \
                first one has been scanned at the parcel shop, and there is no charge for the exchange.",
            "An opened box is no problem. Please use the label that you will receive in a minute; the new \
                one will be with you about three days after we have yours.",
        ],
    },
    Topic {
        priority: Medium,
        subjects: ["Return after the thirty days", "A little late with my return"],
        messages: [
            "I was in hospital and missed the thirty days by a week. The {product} is unused, still in \
                its foil. Would you take it back all the same?",
            "Order {order} was a birthday present and turned out to be a duplicate. I know that the \
                period is over. Is there any goodwill?",
        ],
        replies: [
            "I hope you are well again. We will of course take the {product} back; the label is on its \
                way, and the refund of {amount} comes as usual.",
            "As it was a present, we count from the birthday. I have opened the return for order {order} \
                until the end of the month.",
        ],
    },
    Topic {
        priority: High,
        subjects: ["{product} is defective", "Defect within the warranty"],
        messages: [
            "After {days} months the {product} no longer switches on. I have tried another socket and \
                another cable. Is this covered by the warranty?",
            "The {product} makes a rattling noise and smells of plastic. I have unplugged it. I bought it \
                with {order}.",
        ],
        replies: [
            "Yes, it is covered by the two-year warranty. I have ordered a replacement that leaves \
                tomorrow, and you will find a label for the defective device in the box.",
            "It was right to unplug it, please leave it so. A courier collects it tomorrow, our workshop \
                examines it, and the replacement is already packed in {city}.",
        ],
    },
    Topic {
        priority: Medium,
        subjects: ["Parts missing from the box", "Incomplete package"],
        messages: [
            "The box of the {product} contained no power supply and no screws. It was sealed, so it must \
                have been packed like that.",
            "According to the manual there should be a wall mount with the {product}. It is missing from \
                ours. Can you send it separately?",
        ],
        replies: [
            "I'm sorry, some boxes of that batch were packed without the accessories bag. It is on its \
                way to you by letter post and should arrive in two days.",
            "The missing part has been sent, and you do not need to return anything. As an apology I have \
                added a voucher of {amount} to your account.",
        ],
    },
    Topic {
        priority: Medium,
        subjects: ["Refund instead of a voucher", "I do not want store credit"],
        messages: [
            "I returned {order} and got a voucher of {amount}. I never agreed to this and would like my \
                money back.",
            "Your email says that my refund was issued as store credit. Please pay it out to my card \
                instead.",
        ],
        replies: [
            "You are entitled to a refund, and the voucher was chosen by mistake. I have cancelled it and \
                sent {amount} to your original payment method.",
            "That was set as a preference on your account, probably by an earlier exchange. I have \
                changed it and started the payment of {amount}; it takes three to five working days.",
        ],
    },
    Topic {
        priority: High,
        subjects: ["Return delivered but not registered", "What happened to my return?"],
        messages: [
            "The tracking shows that my return reached you {days} days ago. In my account it is still \
                \"expected\". When will you process it?",
            "I sent {order} back two weeks ago, and it was signed for in {city}. Since then I have heard \
                nothing. Has it been lost in your warehouse?",
        ],
        replies: [
            "Your return was found in the warehouse: the label had come off, so it could not be matched. \
                It is registered now, and the refund of {amount} has been issued.",
            "I'm sorry for the silence. After the sale our returns desk was five days behind; order \
                {order} was processed this morning, and you will get the confirmation today.",
        ],
    },
    Topic {
        priority: Low,
        subjects: ["Returning without the original box", "I threw the packaging away"],
        messages: [
            "I no longer have the box of the {product}. Can I return it in another one?",
            "The packaging of the {product} went straight to the recycling. It is unused, but I only have \
                a neutral box. Will that reduce my refund?",
        ],
        replies: [
            "Any sturdy box will do, as long as the {product} cannot move in it. It does not change your \
                refund.",
            "That is fine. Please wrap it well and mention order {order} on a slip of paper inside; the \
                refund is the full {amount}.",
        ],
    },
];

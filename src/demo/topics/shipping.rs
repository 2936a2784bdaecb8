use nexus_actors::domain::inquiry::Priority::{High, Low, Medium, Urgent};

use super::Topic;

pub const TOPICS: &[Topic] = &[
    Topic {
        priority: High,
        subjects: ["Order {order} has not arrived", "Where is my parcel?"],
        messages: [
            "I ordered the {product} {days} days ago and was told it would be here by now. Order {order} \
                still shows \"in transit\". Can you find out where it is?",
            "My order {order} was due on Monday and nothing came. The tracking page has not changed \
                since. I need the {product} before the weekend.",
        ],
        replies: [
            "I'm sorry for the wait. Your parcel was held at the depot in {city} because of a sorting \
                error and is moving again; the courier expects to deliver it within two working days. You \
                will get a text message on the morning of delivery.",
            "Thank you for your patience. I have asked the courier to trace order {order}: it missed its \
                connection in {city} and is on tomorrow's van. If it is not with you by then, reply here and \
                we will send a replacement.",
        ],
    },
    Topic {
        priority: Medium,
        subjects: ["Wrong delivery address on {order}", "Please change the address of my order"],
        messages: [
            "I just noticed that order {order} goes to our old flat. We have moved to {city}. Is it still \
                possible to change the address?",
            "The checkout filled in my previous address and I did not see it in time. Order {order} \
                should go to {city} instead. It has not been shipped yet as far as I can tell.",
        ],
        replies: [
            "You wrote just in time: order {order} had not left our warehouse. I have changed the \
                delivery address to the one in {city}, and you will receive a new confirmation in a few \
                minutes.",
            "I have stopped order {order} and entered the new address. It leaves our warehouse tomorrow \
                morning, so please count on one more day than first announced.",
        ],
    },
    Topic {
        priority: Medium,
        subjects: ["Tracking stuck for {days} days", "Tracking number does not update"],
        messages: [
            "The tracking of {order} says \"label created\" and has done so for {days} days. Has the \
                parcel been handed over at all?",
            "According to the courier's site nothing has happened to my parcel since the label was \
                printed. Could you check whether the {product} really left your warehouse?",
        ],
        replies: [
            "The parcel left our warehouse, but its label was not scanned on the way. I have sent the \
                courier an enquiry and expect their answer within one working day; I will write to you as \
                soon as I have it.",
            "I checked with our warehouse in {city}: the {product} was handed over yesterday evening, and \
                the first scan should show up tonight. The delivery date stays as announced.",
        ],
    },
    Topic {
        priority: Medium,
        subjects: ["Only part of my order arrived", "Something is missing from {order}"],
        messages: [
            "The box with the {product} came today, but the second item on the delivery note was not in \
                it. Will it come separately? Nobody told me that order {order} would be split.",
            "We received one parcel for {order}, though we paid for three items. Only the {product} was \
                inside. Please tell us when the rest will be here.",
        ],
        replies: [
            "Order {order} was packed at two sites, so it travels in two parcels. The second one left \
                {city} this morning and should reach you in two to three days. I'm sorry that the \
                confirmation did not say so.",
            "Thank you for telling us. The rest of your order was out of stock for a day and has now been \
                shipped; the tracking link is on its way to you. There is no extra charge for the second \
                parcel.",
        ],
    },
    Topic {
        priority: Urgent,
        subjects: ["Marked as delivered, but nothing is here", "Parcel {order} delivered to nobody"],
        messages: [
            "Your courier claims to have delivered {order} yesterday at noon. I was at home all day and \
                there was nothing. The neighbours do not have it either.",
            "The tracking says that the {product} was handed over in person. That is not true, and the \
                signature is not mine. Please help, it was a present.",
        ],
        replies: [
            "I'm sorry, that must be annoying. I have opened an investigation with the courier, who has \
                to show proof of delivery within 48 hours. Whatever they answer, you will get either your \
                parcel or a replacement.",
            "Thank you for checking with the neighbours. The proof of delivery does not match your \
                address, so we are sending a new {product} today by express, at our expense. If the first \
                parcel turns up, please just refuse it.",
        ],
    },
    Topic {
        priority: High,
        subjects: ["Box arrived damaged", "{product} damaged in transit"],
        messages: [
            "The parcel looked as if it had been dropped, and the {product} inside has a crack. I have \
                taken photos. What do you need from me?",
            "Order {order} arrived with one corner crushed. I have not dared to switch the {product} on. \
                Should I refuse it or keep it?",
        ],
        replies: [
            "I'm sorry about that. Please keep the box and send us two photos as a reply to this message; \
                a replacement for order {order} has been reserved and leaves as soon as we have them.",
            "Please do not switch it on. A courier will pick up the {product} free of charge on the day \
                you prefer, and the replacement is already on its way from {city}.",
        ],
    },
    Topic {
        priority: Medium,
        subjects: ["Customs charge on order {order}", "Asked to pay import duty"],
        messages: [
            "The courier wants {amount} in customs fees before they hand over {order}. Your shop said \
                that all duties were included. Who pays this?",
            "I was surprised to get a bill of {amount} from customs for the {product}. Is this normal for \
                deliveries from {city}?",
        ],
        replies: [
            "Your price included all duties, so you should not pay anything at the door. I have sent the \
                customs papers to the courier again, and they confirmed that they will release order {order} \
                without a charge.",
            "The invoice on the outside of the parcel was missing, which is why the duty was calculated \
                again. Please pay nothing; if you have paid the {amount} already, send us the receipt and we \
                will refund it within three working days.",
        ],
    },
    Topic {
        priority: High,
        subjects: ["Can {order} be sent by express?", "Need the order sooner than planned"],
        messages: [
            "We open our new office on Friday and need the {product} by then. Can order {order} still be \
                upgraded to express? I would gladly pay the difference.",
            "Is there any way to speed up {order}? I did not see the express option at checkout, and \
                standard delivery would be {days} days too late.",
        ],
        replies: [
            "That works: I have upgraded order {order} to express delivery, and it leaves {city} tonight. \
                The difference is on us this time.",
            "Order {order} has been packed already, so it cannot be upgraded. The courier expects to \
                deliver it on Thursday, and I have asked for delivery before noon at no cost.",
        ],
    },
    Topic {
        priority: Low,
        subjects: ["Hold my delivery until I am back", "Please deliver later"],
        messages: [
            "I will be travelling next week and nobody can accept the parcel. Could you hold {order} and \
                deliver it after the 20th?",
            "Our office is closed for {days} days. Please do not send the {product} before we are back, \
                as there is no safe place to leave it.",
        ],
        replies: [
            "Of course. I have put order {order} on hold; it will be shipped so that it reaches you after \
                your return. You will get a message the day before.",
            "No problem. The {product} stays in our warehouse, and you can release it yourself under \"My \
                orders\" whenever it suits you. Otherwise we will ship it in two weeks.",
        ],
    },
    Topic {
        priority: Low,
        subjects: ["Do you deliver to my country?", "Shipping outside the EU"],
        messages: [
            "I would like to have the {product} sent to family abroad. Do you ship to {city}, and what \
                would it cost?",
            "Your shop does not let me choose a delivery address outside the country. Is there a way to \
                get two of your products to {city}?",
        ],
        replies: [
            "Yes, we deliver to {city}. Shipping costs {amount} and takes four to six working days; \
                duties are included in the price you see at checkout.",
            "We are about to open that destination in the shop. Until then I can place the order for you: \
                please reply with the delivery address and I will send you a payment link that includes \
                {amount} for shipping.",
        ],
    },
    Topic {
        priority: Medium,
        subjects: ["Courier keeps missing us", "Two failed delivery attempts"],
        messages: [
            "The courier says they tried twice, yet we were here both times and nobody rang. The driver \
                seems to go to the wrong entrance. Can you give them a hint?",
            "For the second time there was a card saying that we were not at home. Our reception is \
                staffed from 8 to 18. Order {order} will go back if this happens again.",
        ],
        replies: [
            "I have passed your note about the entrance on to the depot in {city} and added a phone \
                number to the label. The next attempt is tomorrow between 9 and 12.",
            "I'm sorry for the trouble. I have arranged that order {order} waits at the pick-up point \
                nearest to you for ten days, and the courier will not return it before that. If you would \
                rather have it delivered, tell me a time that suits you.",
        ],
    },
    Topic {
        priority: Low,
        subjects: ["Can you combine two orders?", "Ship {order} together with my other order"],
        messages: [
            "I placed two orders an hour apart and paid for shipping twice. Could you put them in one box \
                and refund the second shipping fee?",
            "Would it be possible to add the {product} from my second order to {order}? One parcel would \
                be much easier for us to receive.",
        ],
        replies: [
            "Done: both orders leave in one parcel. The second shipping fee has been refunded to your \
                card and should show up within three working days.",
            "Order {order} had been packed when you wrote, so there will be two parcels, but they travel \
                together. I have refunded the second shipping fee.",
        ],
    },
];

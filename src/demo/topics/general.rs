use nexus_actors::domain::inquiry::Priority::{High, Low, Medium};

use super::Topic;

pub const TOPICS: &[Topic] = &[
    Topic {
        priority: Low,
        subjects: ["Opening hours of your showroom", "Can I see the {product} somewhere?"],
        messages: [
            "I would like to see the {product} before I buy it. Is there a showroom near {city}, and when \
                is it open?",
            "Do you have a shop or a partner where your products are on display? I am in {city} next week.",
        ],
        replies: [
            "Our partner in {city} shows the whole range, Monday to Saturday from 10 to 19. An \
                appointment is not needed, but at noon it is quieter.",
            "There is no showroom in {city} yet, but you can try the {product} at home for thirty days \
                and return it free of charge.",
        ],
    },
    Topic {
        priority: Medium,
        subjects: ["Does the {product} work with my system?", "Question before buying"],
        messages: [
            "Before I order: does the {product} work without a hub, and does it speak Matter? I could not \
                find that on the product page.",
            "We plan to equip {days} meeting rooms with the {product}. Can they all be managed from one \
                account, with different rights for each person?",
        ],
        replies: [
            "It does: the {product} speaks Matter over Wi-Fi, so it works without our hub. The hub is \
                only needed for automations that should run without the internet.",
            "Yes, one account can hold any number of rooms. In the business plan you can give people \
                rights for single rooms; I would be glad to set up a trial for you.",
        ],
    },
    Topic {
        priority: Low,
        subjects: ["Thank you to your team", "Praise for your support"],
        messages: [
            "I just wanted to say that your colleague on the chat was wonderful. My problem was solved in \
                ten minutes. Please pass it on.",
            "After two bad experiences elsewhere I was surprised how quickly you replaced my {product}. \
                Keep it up.",
        ],
        replies: [
            "Thank you, that made our day! I have passed your message on to the colleague, and it hangs \
                in our kitchen now.",
            "How kind of you to write. We are glad that the {product} works again, and we will be here \
                should you need us.",
        ],
    },
    Topic {
        priority: High,
        subjects: ["Request for my personal data", "Data access under Article 15 GDPR"],
        messages: [
            "Please send me a copy of all personal data that you hold about me, and tell me with whom you \
                have shared it.",
            "Under the GDPR I request access to my data and its deletion after I have received it. Please \
                confirm that you have received this request.",
        ],
        replies: [
            "We confirm your request. You will receive a complete copy through a protected download \
                within the statutory month, together with the list of recipients.",
            "Your request has been received and recorded. Before we hand out any data we have to confirm \
                your identity; please follow the link that has been sent to the address in your profile.",
        ],
    },
    Topic {
        priority: Medium,
        subjects: ["Change the email address of my account", "New email address"],
        messages: [
            "I am leaving my company and would like to keep my account under a private address. How do I \
                change it when I can no longer receive mail at the old one?",
            "Please change the address of my account. The form says that the new one is already in use, \
                but I have no second account.",
        ],
        replies: [
            "I can move the account as soon as you confirm two details: the month of your first order and \
                the last four digits of the card on file. Please do not send the whole number.",
            "The new address belonged to a newsletter subscription, which blocked it. I have removed \
                that, and the form will accept it now.",
        ],
    },
    Topic {
        priority: Low,
        subjects: ["Becoming a reseller", "Partnership enquiry"],
        messages: [
            "We run {days} shops for home technology and would like to offer your products. Do you have a \
                programme for resellers?",
            "Our agency equips holiday flats and needs about forty of the {product} a year. Is there a \
                partner price?",
        ],
        replies: [
            "Thank you for your interest. Our partner programme starts at twenty units a year; a \
                colleague from partner sales will call you this week, and the price list follows by email.",
            "We would be happy to work with you. At forty units a year you are in our second tier; I have \
                attached the conditions to your account and invited you to the partner portal.",
        ],
    },
    Topic {
        priority: Low,
        subjects: ["Question about your packaging", "How sustainable are your products?"],
        messages: [
            "Is the packaging of the {product} free of plastic? I could not find anything about it, and \
                it matters to us.",
            "For our sustainability report we need the carbon footprint of the {product}. Do you publish \
                such figures?",
        ],
        replies: [
            "Since this spring the {product} comes in cardboard only, with a paper seal. The foam that \
                you may have seen in older videos is gone.",
            "We publish a product carbon footprint for each device. The sheet for the {product} is on its \
                page under \"Documents\", and you may quote it.",
        ],
    },
    Topic {
        priority: Low,
        subjects: ["Too many newsletters", "Please unsubscribe me"],
        messages: [
            "I have clicked on \"unsubscribe\" three times and still get your newsletter. Please take me \
                off every list.",
            "Since my order I get a marketing email every other day. I never agreed to that. Only send me \
                messages about {order}, please.",
        ],
        replies: [
            "I'm sorry. You were on two lists, and the link only covered one of them; I have removed you \
                from both. You will only hear from us about your orders.",
            "Your consent was set at checkout by a box that should not have been ticked. I have withdrawn \
                it, and our shop team has corrected the form.",
        ],
    },
];

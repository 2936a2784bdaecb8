use nexus_actors::domain::inquiry::Priority::{High, Low, Medium};

use super::Topic;

pub const TOPICS: &[Topic] = &[
    Topic {
        priority: High,
        subjects: ["Charged twice for {order}", "Double payment on my card"],
        messages: [
            "My bank statement shows two payments of {amount} on the same day. I ordered only once, under \
                {order}. Please return one of them.",
            "I have been charged {amount} twice. The first attempt at checkout ended with an error, so I \
                tried again. There is only one order in my account.",
        ],
        replies: [
            "Thank you for the details. The first attempt was only a reservation by your bank, and we \
                have released it. It disappears from your statement within three to five working days, \
                depending on your bank.",
            "You are right: both payments for order {order} went through. I have refunded {amount} today, \
                and you will receive a confirmation by email.",
        ],
    },
    Topic {
        priority: Medium,
        subjects: ["Invoice with VAT number needed", "Please correct invoice {invoice}"],
        messages: [
            "Our accounting cannot book {invoice} because our VAT number is missing. Could you issue it \
                again with the number that is in our profile?",
            "Invoice {invoice} is made out to me personally instead of the company. Please correct the \
                addressee, as our tax adviser will not accept it like this.",
        ],
        replies: [
            "The corrected invoice is attached to your account under \"Invoices\" and replaces {invoice}. \
                Future invoices will carry the company's details automatically.",
            "I have cancelled {invoice} and issued a new one with your VAT number. The amount of {amount} \
                stays the same, and so does the due date.",
        ],
    },
    Topic {
        priority: Medium,
        subjects: ["Card declined at checkout", "Cannot pay for my order"],
        messages: [
            "My card is declined although it works everywhere else. I tried three times with the \
                {product} in the cart. Is there a problem on your side?",
            "The payment page says \"authorisation failed\" without a reason. My bank sees no attempt at \
                all. How else can I pay the {amount}?",
        ],
        replies: [
            "Our payment provider asked for a confirmation in your banking app, and it ran into a \
                time-out. Please try once more with the app open. If that fails, I can send you a payment \
                link for {amount}.",
            "There was a disturbance at our payment provider yesterday evening that also affected your \
                attempts. It is solved, nothing was charged, and your cart is still there.",
        ],
    },
    Topic {
        priority: High,
        subjects: ["Refund for {order} still missing", "When will I get my money back?"],
        messages: [
            "I returned the {product} {days} weeks ago, and you confirmed that you had received it. The \
                refund of {amount} has still not arrived. What is taking so long?",
            "According to your email the refund for {order} was issued on the 3rd. There is nothing on my \
                account yet. Could you check where it went?",
        ],
        replies: [
            "I'm sorry for the delay. The refund was sent to a card that has expired in the meantime and \
                came back to us. Please tell me whether you would like the {amount} as a bank transfer or as \
                store credit.",
            "The refund of {amount} left us on Monday. Banks take up to five working days to show it, so \
                please look again on Friday; if it is not there, I will send you the reference for your \
                bank.",
        ],
    },
    Topic {
        priority: Low,
        subjects: ["Price dropped right after my purchase", "Difference to the current price"],
        messages: [
            "I bought the {product} on Sunday and today it is {amount} cheaper. Do you refund the \
                difference?",
            "Two days after I had ordered the {product} it went on sale. That feels unfair. Can you do \
                anything about it?",
        ],
        replies: [
            "Our price promise covers fourteen days, so yes: I have refunded the difference to your \
                original payment method. It should be there by the end of the week.",
            "Thank you for asking. As your order {order} is within fourteen days, you get the difference \
                of {amount} as store credit right away, or as a refund if you prefer; just let me know.",
        ],
    },
    Topic {
        priority: High,
        subjects: ["Subscription renewed without notice", "I did not want to renew"],
        messages: [
            "{amount} were taken for another year of the subscription. I do not remember a reminder, and \
                I stopped using the app in spring. Please cancel it and refund me.",
            "My plan was renewed yesterday although I thought that I had cancelled it. Can you undo this? \
                I have not used it since.",
        ],
        replies: [
            "I have ended the subscription and refunded {amount}, as you wrote within the fourteen days \
                our terms allow for. You will keep read access to your data for another month.",
            "The reminder went to an address that no longer accepts mail, so this is on us. The renewal \
                has been undone, and the {amount} will be back on your card within five working days.",
        ],
    },
    Topic {
        priority: Medium,
        subjects: ["Change of payment method", "Another way to pay for our subscription"],
        messages: [
            "Our company card is being replaced at the end of the month. How do we move the subscription \
                to direct debit without losing access?",
            "I would like to pay by bank transfer in future. The settings only offer cards. Is that tied \
                to the plan?",
        ],
        replies: [
            "You can enter the new method under \"Billing\" at any time; the next payment simply uses it, \
                and access is never interrupted. Direct debit is on that page as soon as the company's \
                address is complete.",
            "Bank transfer is part of the business plan. I have enabled it for your account, and the next \
                invoice comes with our bank details and thirty days to pay.",
        ],
    },
    Topic {
        priority: Medium,
        subjects: ["Question about my plan", "Change to our subscription"],
        messages: [
            "We no longer need the business plan, as the team has become smaller. Please move us to the \
                smallest plan from next month on.",
            "I want to cancel at the end of the billing period. The button in the settings leads to an \
                error page.",
        ],
        replies: [
            "I have noted the change: your plan switches at the end of the current period, and the \
                invoice will be lower by {amount}. Nothing is lost, only the number of seats changes.",
            "The error has been passed on to our developers. I have cancelled the plan for you as of the \
                end of the period, and you can use everything until then.",
        ],
    },
    Topic {
        priority: Low,
        subjects: ["Problem with a discount code", "Voucher was not deducted"],
        messages: [
            "The code from your newsletter gives \"not valid for this cart\". There is only a {product} \
                in it. What am I doing wrong?",
            "I forgot to enter my voucher when I placed {order}. Is it possible to deduct it afterwards? \
                It is worth {amount}.",
        ],
        replies: [
            "The code does not combine with items that are reduced already, which the message should \
                really say. I have added a new one to your account that works for your cart.",
            "As order {order} has not been invoiced yet, I could still add the voucher. Your new total is \
                lower by {amount}.",
        ],
    },
    Topic {
        priority: Medium,
        subjects: ["Paying on account with a purchase order", "Payment terms for our company"],
        messages: [
            "Our purchasing department can only pay on account, thirty days net. Is that possible for an \
                order of about {amount}?",
            "We would like to order eight units of the {product}, but need a formal quote and payment on \
                account. Whom do I talk to?",
        ],
        replies: [
            "Yes, we offer thirty days net to companies. Please send us your purchase order with the \
                billing address as a reply; I have raised your limit to {amount} for the first order.",
            "I have prepared quote {invoice} for eight units, valid for thirty days. If you sign and \
                return it, we will deliver on account.",
        ],
    },
    Topic {
        priority: Low,
        subjects: ["Charged in the wrong currency", "Why was I billed in dollars?"],
        messages: [
            "I always paid in euros, but the last invoice {invoice} was in dollars and my bank took a \
                fee. Can this be set back?",
            "Since the renewal my subscription is billed in another currency. Please explain {amount} on \
                invoice {invoice}.",
        ],
        replies: [
            "The currency follows the country of the billing address, which was changed during the last \
                update. I have set it back to euros, and the next invoice will be right. We will of course \
                refund your bank's fee.",
            "Thank you for pointing it out. Invoice {invoice} has been cancelled and issued again in \
                euros for {amount}; the difference has been credited to your account.",
        ],
    },
];

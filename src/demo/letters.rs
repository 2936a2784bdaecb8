//! How people of the demo write: greetings, signatures, and what managers remark.

use nexus_actors::domain::inquiry::Priority;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::people::Person;
use super::topics::{CITIES, PRODUCTS, Topic};

/// Stands for the author's name until it is known who writes.
const AUTHOR: &str = "{cso}";

/// What one customer wants, with everything that may be answered to it.
#[derive(Debug)]
pub struct Letter {
    pub category: &'static str,
    pub priority: Priority,
    pub channel: &'static str,
    pub subject: String,
    pub message: String,
    pub reply: Reply,
}

#[derive(Clone, Debug)]
pub struct Reply {
    first_name: &'static str,
    body: String,
    formal: bool,
}

/// A sentence that has to go, and how a manager says so.
#[derive(Debug)]
pub struct Flaw {
    pub sentence: &'static str,
    pub notes: &'static str,
}

pub const FLAWS: &[Flaw] = &[
    Flaw {
        sentence: "This should never have happened, and we accept full responsibility for any damage it caused you.",
        notes: "Please don't admit liability in writing. Say what we do for the customer and leave the rest out.",
    },
    Flaw {
        sentence: "I personally guarantee that it will be solved by tomorrow.",
        notes: "We can't guarantee a date. Give the expected one, as the rest of your text does already.",
    },
    Flaw {
        sentence: "As a gesture of goodwill we also give you 50 % off your next three orders.",
        notes: "Goodwill above 20 % needs my agreement first. Take it out, please; the rest is good.",
    },
    Flaw {
        sentence: "Unfortunately this happens all the time at the moment.",
        notes: "True or not, this does not help the customer. Remove the last sentence and submit it again.",
    },
    Flaw {
        sentence: "You can also reach me directly on my mobile, even at the weekend.",
        notes: "No private numbers or promises outside of our hours, please. They can reply to this message.",
    },
    Flaw {
        sentence: "The instructions were on page 2 of the confirmation, by the way.",
        notes: "That sounds like a reproach. Please leave it out; the explanation itself is fine.",
    },
    Flaw {
        sentence: "Other customers have already threatened to sue, so our lawyers are looking into it.",
        notes: "Never mention other customers or legal matters. Please rewrite the ending.",
    },
];

const PRAISE: &[&str] = &[
    "Good to go.",
    "Clear and friendly, thank you.",
    "Checked against the order, correct.",
    "Fine. Please look in again on Thursday whether it has worked out.",
    "Well explained; I have added it to our examples.",
    "OK. The customer has written twice, so please keep an eye on this one.",
];

const SECOND_PRAISE: &[&str] =
    &["Much better, thank you.", "Thanks for the quick change. Approved.", "Good now."];

const AFTERTHOUGHTS: &[&str] = &[
    "I have also left a note on your account, so that you will not have to explain this again.",
    "If anything else comes up, just reply to this message and it reaches me directly.",
    "You can follow the progress in your account under \"My requests\".",
];

const FOLLOW_UPS: &[&str] = &[
    "Thank you for getting back to us. I have looked into it again together with our specialists, and the last step \
     had not been carried out. It has been done now, and I will check tomorrow that everything is as it should be.",
    "I'm sorry that it has not worked out yet. I have moved your case to the top of our list and asked the department \
     in charge for an answer today; you will hear from me either way.",
    "You are right, my first answer did not cover that. It is included at no extra cost, and I have noted it on your \
     account so that the next invoice is correct as well.",
];

impl Letter {
    /// `turn` counts the letters on this topic and picks the wording.
    pub fn new(
        (category, topic, turn): (&'static str, &Topic, usize),
        writer: &Person,
        rng: &mut StdRng,
    ) -> Self {
        let filled = details(rng);
        let subject = filled(topic.subjects[turn / 2 % 2]);
        let wish = filled(topic.messages[turn % 2]);
        let body = filled(topic.replies[turn % 2]);
        let channel = *["email", "email", "email", "chat", "chat", "api"].choose(rng).unwrap_or(&"email");
        let message = if channel == "email" { as_email(&wish, writer, rng) } else { wish };
        let reply = Reply { first_name: writer.first_name, body, formal: channel != "chat" };
        Self { category, priority: about(topic.priority, rng), channel, subject, message, reply }
    }
}

impl Reply {
    pub fn text(&self) -> String {
        self.around(&self.body)
    }

    /// With a sentence at the end of its text.
    pub fn with(&self, sentence: &str) -> String {
        self.around(&format!("{} {sentence}", self.body))
    }

    pub fn with_afterthought(&self, rng: &mut StdRng) -> String {
        self.with(AFTERTHOUGHTS.choose(rng).unwrap_or(&AFTERTHOUGHTS[0]))
    }

    /// To a customer who wrote again.
    pub fn follow_up(&self, rng: &mut StdRng) -> String {
        self.around(FOLLOW_UPS.choose(rng).unwrap_or(&FOLLOW_UPS[0]))
    }

    fn around(&self, body: &str) -> String {
        let name = self.first_name;
        if self.formal {
            format!("Dear {name},\n\n{body}\n\nKind regards,\n{AUTHOR}\nCustomer Care")
        } else {
            format!("Hi {name}! {body}\n{AUTHOR}")
        }
    }
}

/// A reply as its author signs it.
pub fn signed(text: &str, author: &str) -> String {
    text.replace(AUTHOR, author)
}

/// Most approvals come without a word.
pub fn praise(again: bool, rng: &mut StdRng) -> Option<String> {
    let remarks = if again { SECOND_PRAISE } else { PRAISE };
    if rng.random_bool(0.4) { remarks.choose(rng).map(|&remark| remark.to_owned()) } else { None }
}

/// Fills the gaps in a wording, with the same values in the subject, the message and the reply.
fn details(rng: &mut StdRng) -> impl Fn(&str) -> String + use<> {
    let product = *PRODUCTS.choose(rng).unwrap_or(&PRODUCTS[0]);
    let city = *CITIES.choose(rng).unwrap_or(&CITIES[0]);
    let order = format!("NL-{}", rng.random_range(104_200..198_900));
    let invoice = format!("INV-{}", rng.random_range(30_100..38_900));
    let amount =
        format!("€{}.{}", rng.random_range(12..190), ["00", "50", "90", "95"][rng.random_range(0..4)]);
    let version = format!("{}.{}.{}", rng.random_range(4..6), rng.random_range(0..9), rng.random_range(0..5));
    let days = rng.random_range(3..10).to_string();
    move |wording| {
        [
            ("{product}", product),
            ("{city}", city),
            ("{order}", &order),
            ("{invoice}", &invoice),
            ("{amount}", &amount),
            ("{version}", &version),
            ("{days}", &days),
        ]
        .iter()
        .fold(wording.to_owned(), |text, (gap, value)| text.replace(gap, value))
    }
}

fn as_email(wish: &str, writer: &Person, rng: &mut StdRng) -> String {
    let greeting = ["Hello,", "Hi there,", "Dear support team,", "Hello everyone,"][rng.random_range(0..4)];
    let farewell = ["Thank you", "Best regards", "Kind regards", "Thanks in advance"][rng.random_range(0..4)];
    format!("{greeting}\n\n{wish}\n\n{farewell},\n{} {}", writer.first_name, writer.last_name)
}

/// Now and then something weighs more or less than usual.
fn about(usual: Priority, rng: &mut StdRng) -> Priority {
    let rank = match rng.random_range(0..10) {
        0 => usual.rank() - 1,
        1 => usual.rank() + 1,
        _ => usual.rank(),
    };
    Priority::from_rank(rank).unwrap_or(usual)
}

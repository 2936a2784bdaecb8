//! What channels bring in (contract section 5.1). Gateways on the broker and REST clients send the same.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::customer::CustomerInput;
use super::inquiry::{Priority, is_channel};
use super::text::single_line;
use super::validation::{MAX_MESSAGE, MAX_NAME, MAX_SUBJECT, object, present};
use super::{Checks, FieldError};

/// Characters of the message that stand in for a missing subject.
const SUBJECT_WORDS: usize = 80;

/// An inquiry, or the next message of one, as a gateway publishes it.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InboundMessage {
    /// What the channel calls this message. Brought any number of times, it counts once.
    #[schema(max_length = 998)]
    pub external_id: Option<String>,
    /// What the channel calls the conversation. A message of a known one continues its inquiry.
    #[schema(max_length = 998)]
    pub thread_id: Option<String>,
    #[serde(deserialize_with = "object")]
    pub customer: InboundCustomer,
    /// The first words of the message when left out.
    #[schema(max_length = 300)]
    pub subject: Option<String>,
    #[schema(min_length = 1, max_length = 200000)]
    pub message: String,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub priority: Option<Priority>,
    #[schema(max_length = 100)]
    pub category: Option<String>,
    pub metadata: Option<Map<String, Value>>,
}

/// Who wrote. An unknown email makes a new customer.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InboundCustomer {
    #[schema(format = "email", max_length = 254)]
    pub email: String,
    #[schema(max_length = 100)]
    pub first_name: Option<String>,
    #[schema(max_length = 100)]
    pub last_name: Option<String>,
    #[schema(max_length = 50)]
    pub phone: Option<String>,
    #[schema(max_length = 200)]
    pub company: Option<String>,
}

impl InboundMessage {
    pub fn validate(mut self, channel: &str) -> Result<Self, Vec<FieldError>> {
        let mut checks = Checks::new();
        if !is_channel(channel) {
            checks.fail("/channel", "invalid_channel", "must match [a-z][a-z0-9_-]{0,31}");
        }
        self.external_id = checks.external("/externalId", self.external_id.as_deref());
        self.thread_id = checks.external("/threadId", self.thread_id.as_deref());
        self.subject = checks.optional_line("/subject", self.subject.as_deref(), MAX_SUBJECT);
        checks.text("/message", &self.message, MAX_MESSAGE);
        self.category = checks.optional_line("/category", self.category.as_deref(), MAX_NAME);
        if let Some(metadata) = &self.metadata {
            checks.metadata("/metadata", metadata);
        }
        let customer = &mut self.customer;
        customer.email = checks.email("/customer/email", &customer.email);
        customer.first_name =
            checks.optional_line("/customer/firstName", customer.first_name.as_deref(), MAX_NAME);
        customer.last_name =
            checks.optional_line("/customer/lastName", customer.last_name.as_deref(), MAX_NAME);
        customer.phone = checks.optional_line("/customer/phone", customer.phone.as_deref(), 50);
        customer.company = checks.optional_line("/customer/company", customer.company.as_deref(), 200);
        checks.finish(self)
    }

    /// The subject, or the first words of the message. Of one that has none, of controls only, it is said so.
    pub fn subject(&self) -> String {
        self.subject.clone().unwrap_or_else(|| {
            let text = single_line(&self.message);
            match text.char_indices().nth(SUBJECT_WORDS) {
                None if text.is_empty() => "(no subject)".to_owned(),
                None => text,
                Some((end, _)) => {
                    let cut = text[..end].rfind(' ').unwrap_or(end);
                    format!("{}…", &text[..cut])
                }
            }
        })
    }
}

impl InboundCustomer {
    /// A name is not always known; the address stands in for it.
    pub fn into_input(self) -> CustomerInput {
        let (local, domain) = self.email.rsplit_once('@').unwrap_or((self.email.as_str(), ""));
        let name = |text: &str| text.chars().take(MAX_NAME).collect::<String>();
        CustomerInput {
            first_name: self.first_name.unwrap_or_else(|| name(local)),
            last_name: self.last_name.unwrap_or_else(|| name(domain)),
            email: self.email.clone(),
            phone: self.phone,
            company: self.company,
            status: None,
            metadata: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> InboundMessage {
        serde_json::from_value(serde_json::json!({"customer": {"email": "ada@example.com"}, "message": text}))
            .unwrap()
    }

    #[test]
    fn the_first_words_stand_in_for_a_missing_subject() {
        assert_eq!(message("Where\n is  it?").subject(), "Where is it?");
        assert_eq!(message("\u{7f}\u{7}").subject(), "(no subject)");
        let long = message(&"word ".repeat(50)).subject();
        assert!(long.ends_with("word…") && long.chars().count() <= 81, "{long}");
    }

    #[test]
    fn every_bad_field_is_named() {
        let mut bad = message("");
        bad.customer.email = "nobody".to_owned();
        bad.external_id = Some("a\r\nb".to_owned());
        let errors = bad.validate("E mail").unwrap_err();
        let pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["/channel", "/externalId", "/message", "/customer/email"]);
    }
}

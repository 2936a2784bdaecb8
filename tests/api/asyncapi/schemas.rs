//! The schemas in an AsyncAPI document, to hold messages against.

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};
use uuid::Uuid;

/// Reads the schemas of a document as a client does who knows the standard: draft 7, formats included.
pub struct Schemas {
    document: Value,
}

impl Schemas {
    pub fn of(document: Value) -> Self {
        Self { document }
    }

    /// Of what the message called `name` is made of: its `payload` or its `headers`.
    #[track_caller]
    pub fn of_message(&self, name: &str, part: &str) -> Validator {
        let message = &self.document["components"]["messages"][name];
        assert!(message[part].is_object(), "the document knows no {part} of {name}");
        self.validator(&message[part])
    }

    fn validator(&self, schema: &Value) -> Validator {
        let root = json!({"allOf": [schema], "components": self.document["components"]});
        let is_uuid = |text: &str| text.len() == 36 && Uuid::parse_str(text).is_ok();
        let options = jsonschema::options().with_draft(Draft::Draft7).should_validate_formats(true);
        options.with_format("uuid", is_uuid).build(&root).unwrap()
    }
}

/// Names every way in which `instance` is not as it should be.
#[track_caller]
pub fn expect_valid(validator: &Validator, instance: &Value, what: &str) {
    let errors =
        validator.iter_errors(instance).map(|error| format!("{} at {}", error, error.instance_path()));
    let errors: Vec<_> = errors.collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}\n{instance:#}");
}

//! Headers of messages: AMQP's types as JSON and back.

use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use serde_json::{Map, Value};

/// Bytes of headers that are published, encoded: they must fit in one frame, of which RabbitMQ takes 128 KiB.
const ROOM: usize = 96 * 1024;
/// Bytes of a name or of any other of AMQP's short texts.
const SHORT: usize = 255;
/// Tables within tables that are looked into.
const DEPTH: usize = 16;
/// Names how many headers did not fit.
const LEFT_OUT: &str = "x-nexus-headers-left-out";
/// RabbitMQ takes these for further routing keys, and closes the channel when they are none.
const ROUTING: [&str; 2] = ["CC", "BCC"];

/// As JSON: numbers as numbers, a timestamp in seconds, bytes as text in which what is not UTF-8 is replaced.
pub fn to_json(table: &FieldTable) -> Map<String, Value> {
    fields(table, DEPTH)
}

fn fields(table: &FieldTable, depth: usize) -> Map<String, Value> {
    table.inner().iter().map(|(name, value)| (name.to_string(), json(value, depth))).collect()
}

fn json(value: &AMQPValue, depth: usize) -> Value {
    match value {
        AMQPValue::Boolean(value) => (*value).into(),
        AMQPValue::ShortShortInt(value) => (*value).into(),
        AMQPValue::ShortShortUInt(value) => (*value).into(),
        AMQPValue::ShortInt(value) => (*value).into(),
        AMQPValue::ShortUInt(value) => (*value).into(),
        AMQPValue::LongInt(value) => (*value).into(),
        AMQPValue::LongUInt(value) => (*value).into(),
        AMQPValue::LongLongInt(value) => (*value).into(),
        AMQPValue::Float(value) => f64::from(*value).into(),
        AMQPValue::Double(value) => (*value).into(),
        AMQPValue::DecimalValue(value) => {
            (f64::from(value.value) / 10_f64.powi(i32::from(value.scale))).into()
        }
        AMQPValue::Timestamp(value) => (*value).into(),
        AMQPValue::ShortString(text) => text.as_str().into(),
        AMQPValue::LongString(text) => String::from_utf8_lossy(text.as_bytes()).into(),
        AMQPValue::ByteArray(bytes) => String::from_utf8_lossy(bytes.as_slice()).into(),
        AMQPValue::Void => Value::Null,
        AMQPValue::FieldArray(_) | AMQPValue::FieldTable(_) if depth == 0 => "…".into(),
        AMQPValue::FieldArray(items) => items.as_slice().iter().map(|item| json(item, depth - 1)).collect(),
        AMQPValue::FieldTable(table) => Value::Object(fields(table, depth - 1)),
    }
}

/// For a message to publish. `first` goes in whole; of the others what there is room for, and how many were left out.
/// Those that would make RabbitMQ route the message elsewhere go in as `x-original-…`.
pub fn to_table<'a>(
    first: impl IntoIterator<Item = (&'a str, String)>,
    others: &Map<String, Value>,
) -> FieldTable {
    let mut table = FieldTable::default();
    let mut room = ROOM;
    for (name, text) in first {
        room = room.saturating_sub(text.len() + SHORT);
        table.insert(short(name), AMQPValue::LongString(text.into()));
    }
    let mut left_out = 0_i64;
    for (name, value) in others {
        let name = match ROUTING.iter().any(|routing| routing == name) {
            true => short(&format!("x-original-{name}")),
            false => short(name),
        };
        let size = name.as_str().len() + encoded_size(value);
        if size > room {
            left_out += 1;
        } else if !table.contains_key(name.as_str()) {
            room -= size;
            table.insert(name, amqp(value));
        }
    }
    if left_out > 0 {
        table.insert(short(LEFT_OUT), AMQPValue::LongLongInt(left_out));
    }
    table
}

fn amqp(value: &Value) -> AMQPValue {
    match value {
        Value::Null => AMQPValue::Void,
        Value::Bool(value) => AMQPValue::Boolean(*value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => AMQPValue::LongLongInt(integer),
            (None, Some(float)) => AMQPValue::Double(float),
            (None, None) => AMQPValue::LongString(number.to_string().into()),
        },
        Value::String(text) => AMQPValue::LongString(LongString::from(text.as_str())),
        Value::Array(items) => AMQPValue::FieldArray(items.iter().map(amqp).collect::<Vec<_>>().into()),
        Value::Object(fields) => {
            let mut table = FieldTable::default();
            for (name, value) in fields {
                table.insert(short(name), amqp(value));
            }
            AMQPValue::FieldTable(table)
        }
    }
}

/// At least the bytes that `value` takes on the wire, its own name aside.
fn encoded_size(value: &Value) -> usize {
    // A type, and a length or a number.
    const FIXED: usize = 10;
    FIXED
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(encoded_size).sum(),
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| name.len() + encoded_size(value)).sum()
            }
        }
}

/// Cut to what AMQP calls a short string.
pub fn short(text: &str) -> ShortString {
    let mut end = text.len().min(SHORT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    ShortString::try_new(&text[..end]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use lapin::types::{ByteArray, DecimalValue};
    use serde_json::json;

    use super::*;

    fn table(entries: Vec<(&str, AMQPValue)>) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in entries {
            table.insert(short(name), value);
        }
        table
    }

    #[test]
    fn every_type_has_its_json() {
        let death = table(vec![("count", AMQPValue::LongLongInt(2))]);
        let given = table(vec![
            ("bool", AMQPValue::Boolean(true)),
            ("byte", AMQPValue::ShortShortInt(-1)),
            ("bytes", AMQPValue::ByteArray(ByteArray::from(vec![b'a', 0xff]))),
            ("decimal", AMQPValue::DecimalValue(DecimalValue { scale: 2, value: 275 })),
            ("float", AMQPValue::Double(0.5)),
            ("nan", AMQPValue::Double(f64::NAN)),
            ("text", AMQPValue::LongString(LongString::from("grüße"))),
            ("time", AMQPValue::Timestamp(1_700_000_000)),
            ("void", AMQPValue::Void),
            ("x-death", AMQPValue::FieldArray(vec![AMQPValue::FieldTable(death)].into())),
        ]);
        assert_eq!(
            Value::Object(to_json(&given)),
            json!({
                "bool": true, "byte": -1, "bytes": "a\u{fffd}", "decimal": 2.75, "float": 0.5, "nan": null,
                "text": "grüße", "time": 1_700_000_000, "void": null, "x-death": [{"count": 2}],
            })
        );
    }

    #[test]
    fn json_comes_back_as_it_went() {
        let given = json!({"a": 1, "b": [true, null, "x"], "c": {"d": 0.25}, "e": u64::MAX});
        let given = given.as_object().unwrap();
        let back = to_json(&to_table([], given));
        assert_eq!((&back["a"], &back["b"], &back["c"]), (&given["a"], &given["b"], &given["c"]));
        assert_eq!(back["e"], json!(u64::MAX as f64));
    }

    #[test]
    fn what_does_not_fit_in_a_frame_is_left_out_and_counted() {
        let given = json!({"big": "x".repeat(ROOM), "small": "kept"});
        let table = to_table([("x-nexus-reason", "bad_json".to_owned())], given.as_object().unwrap());
        let back = Value::Object(to_json(&table));
        assert_eq!(back, json!({"small": "kept", "x-nexus-reason": "bad_json", LEFT_OUT: 1}));
    }

    #[test]
    fn no_header_routes_a_message_elsewhere_or_poses_as_the_hubs() {
        let given = json!({"CC": "not a list", "BCC": ["x"], "x-nexus-reason": "mine"});
        let table = to_table([("x-nexus-reason", "bad_json".to_owned())], given.as_object().unwrap());
        let back = Value::Object(to_json(&table));
        assert_eq!(
            back,
            json!({"x-original-BCC": ["x"], "x-original-CC": "not a list", "x-nexus-reason": "bad_json"})
        );
    }

    #[test]
    fn short_texts_are_cut_between_characters() {
        let text = "ä".repeat(200);
        assert_eq!(short(&text).as_str().len(), 254);
        assert_eq!(short("as it is").as_str(), "as it is");
    }

    #[test]
    fn tables_within_tables_are_looked_into_only_so_far() {
        let mut nested = AMQPValue::Void;
        for _ in 0..1000 {
            nested = AMQPValue::FieldArray(vec![nested].into());
        }
        assert!(Value::Object(to_json(&table(vec![("deep", nested)]))).to_string().contains('…'));
    }
}

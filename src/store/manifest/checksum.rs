//! The checksum of a manifest itself: a manifest is proof, so a change of it must show, too.
//!
//! It is taken of the values, not of the bytes: how the JSON is laid out makes no difference.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The key that holds it.
pub(super) const KEY: &str = "manifest_sha256";

/// The checksum of a manifest without one, in hex.
pub(super) fn of(manifest: &Value) -> String {
    let mut hasher = Sha256::new();
    hash(manifest, &mut hasher);
    hex::encode(hasher.finalize())
}

/// Takes the checksum out of a manifest that was read, and compares it.
///
/// # Errors
/// A sentence that says what is wrong.
pub(super) fn remove(manifest: &mut Value) -> Result<(), String> {
    let found = manifest.as_object_mut().and_then(|fields| fields.remove(KEY));
    match found {
        Some(Value::String(found)) if found == of(manifest) => Ok(()),
        Some(_) => Err("it is not what was written, by its own checksum".to_owned()),
        None => Err(format!("it has no {KEY}")),
    }
}

/// JSON without space, keys sorted.
fn hash(value: &Value, hasher: &mut Sha256) {
    match value {
        Value::Object(fields) => {
            hasher.update(b"{");
            for (key, value) in fields.iter().collect::<BTreeMap<_, _>>() {
                hasher.update(Value::from(key.as_str()).to_string());
                hasher.update(b":");
                hash(value, hasher);
                hasher.update(b",");
            }
            hasher.update(b"}");
        }
        Value::Array(values) => {
            hasher.update(b"[");
            for value in values {
                hash(value, hasher);
                hasher.update(b",");
            }
            hasher.update(b"]");
        }
        _ => hasher.update(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sealed() -> Value {
        let mut value = json!({"b": [1, {"c": "x"}], "a": null});
        value[KEY] = of(&value).into();
        value
    }

    #[test]
    fn what_was_sealed_is_opened_in_whatever_order_and_layout() {
        let mut value = sealed();
        assert_eq!(remove(&mut value), Ok(()));
        assert_eq!(value, json!({"a": null, "b": [1, {"c": "x"}]}));
        let seal = &sealed()[KEY];
        let text = format!("{{\"{KEY}\":{seal},\n\"a\" : null, \"b\":[1,{{\"c\":\"x\"}}]}}");
        assert_eq!(remove(&mut serde_json::from_str(&text).unwrap()), Ok(()));
    }

    #[test]
    fn any_change_shows() {
        let changes: [fn(&mut Value); 5] = [
            |value| value["b"][0] = 2.into(),
            |value| value["b"][1]["c"] = "y".into(),
            |value| value["a"] = 0.into(),
            |value| value["d"] = Value::Null,
            |value| value[KEY] = "0".into(),
        ];
        for change in changes {
            let mut value = sealed();
            change(&mut value);
            assert!(remove(&mut value).is_err(), "{value}");
        }
        assert!(remove(&mut json!({"a": 1})).is_err());
        assert!(remove(&mut json!([])).is_err());
    }
}

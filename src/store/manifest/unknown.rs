//! Keys of a manifest that this version does not know, wherever they stand: newer versions may have added
//! them. They mean nothing here, and who writes the manifest again writes them, too.

use serde_json::{Map, Value};

/// What is left of a value without what is known of it. In a list, the place tells what belongs together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unknown(Option<Value>);

impl Unknown {
    /// What was read, without what is `known` of it.
    pub(super) fn of(read: Value, known: &Value) -> Self {
        Self(left(read, known))
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Puts it to what is known. Where a list has become another, what was in it is left out.
    pub(super) fn put_into(&self, known: &mut Value) {
        if let Some(unknown) = &self.0 {
            put(unknown, known);
        }
    }
}

fn left(read: Value, known: &Value) -> Option<Value> {
    match (read, known) {
        (Value::Object(read), Value::Object(known)) => {
            let mut rest = Map::new();
            for (key, value) in read {
                let value = match known.get(&key) {
                    Some(known) => left(value, known),
                    None => Some(value),
                };
                rest.extend(value.map(|value| (key, value)));
            }
            (!rest.is_empty()).then_some(Value::Object(rest))
        }
        (Value::Array(read), Value::Array(known)) if read.len() == known.len() => {
            let rest: Vec<_> =
                read.into_iter().zip(known).map(|(value, known)| left(value, known)).collect();
            let any = rest.iter().any(Option::is_some);
            any.then(|| rest.into_iter().map(Option::unwrap_or_default).collect())
        }
        _ => None,
    }
}

fn put(unknown: &Value, known: &mut Value) {
    match (unknown, known) {
        (Value::Object(unknown), Value::Object(known)) => {
            for (key, value) in unknown {
                match known.get_mut(key) {
                    Some(known) => put(value, known),
                    None => drop(known.insert(key.clone(), value.clone())),
                }
            }
        }
        (Value::Array(unknown), Value::Array(known)) if unknown.len() == known.len() => {
            unknown.iter().zip(known).for_each(|(value, known)| put(value, known));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_known_comes_back_where_it_was() {
        let read = json!({
            "a": 1, "new": {"deep": [1]}, "list": [{"b": 1}, {"b": 2, "c": 3}], "null": null,
        });
        let mut known = json!({"a": 1, "list": [{"b": 1}, {"b": 2}]});
        let unknown = Unknown::of(read.clone(), &known);
        unknown.put_into(&mut known);
        assert_eq!(known, read);
    }

    #[test]
    fn what_is_known_is_not_kept_and_what_was_changed_stays_changed() {
        let read = json!({"a": 1, "list": [{"b": 1, "c": 3}]});
        assert!(Unknown::of(read.clone(), &read).is_empty());
        let unknown = Unknown::of(read, &json!({"a": 1, "list": [{"b": 1}]}));
        let mut changed = json!({"a": 2, "list": []});
        unknown.put_into(&mut changed);
        assert_eq!(changed, json!({"a": 2, "list": []}));
    }
}

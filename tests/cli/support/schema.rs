//! Checks JSON against the part of JSON Schema that our own schemas use, and refuses a schema that uses more.

use serde_json::Value;

const KNOWN: [&str; 11] = [
    "$schema",
    "title",
    "description",
    "type",
    "enum",
    "minimum",
    "items",
    "properties",
    "required",
    "additionalProperties",
    "$comment",
];

/// Every way in which `value` is not as `schema` has it.
pub(crate) fn complaints(schema: &Value, value: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    check(schema, value, "$", &mut complaints);
    complaints
}

fn check(schema: &Value, value: &Value, at: &str, complaints: &mut Vec<String>) {
    for key in schema.as_object().expect("a schema is an object").keys() {
        assert!(KNOWN.contains(&key.as_str()), "{key} of a schema is not known here");
    }
    let mut complain = |rule: &str| complaints.push(format!("{at}: {value} breaks {rule}"));
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect::<Vec<_>>(),
    };
    if !types.is_empty() && !types.iter().any(|name| is_a(name, value)) {
        complain("type");
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        complain("enum");
    }
    if schema["minimum"].as_i64().is_some_and(|least| value.as_i64().is_none_or(|n| n < least)) {
        complain("minimum");
    }
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(key).is_none() {
            complain(&format!("required {key}"));
        }
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(key) {
            Some(schema) => check(schema, value, &format!("{at}.{key}"), complaints),
            None if schema["additionalProperties"] == false => {
                complaints.push(format!("{at}: {key} is not in the schema"));
            }
            None if schema["additionalProperties"].is_object() => {
                check(&schema["additionalProperties"], value, &format!("{at}.{key}"), complaints);
            }
            None => (),
        }
    }
    for item in value.as_array().into_iter().flatten().filter(|_| schema.get("items").is_some()) {
        check(&schema["items"], item, &format!("{at}[]"), complaints);
    }
}

fn is_a(name: &str, value: &Value) -> bool {
    match name {
        "array" => value.is_array(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => panic!("type {name} of a schema is not known here"),
    }
}

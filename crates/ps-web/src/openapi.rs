//! `/api/openapi.json`: the description of all requests. The rows are described by the schemas of the programs that
//! print them.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::failed::failed;

const DESCRIPTION: &str = include_str!("../assets/openapi.json");
const ROWS: [(&str, &str); 4] = [
    ("Instance", include_str!("../../../docs/schemas/ps-lifecycle-status.json")),
    ("LogLine", include_str!("../../../docs/schemas/ps-lifecycle-logs.json")),
    ("JournalEntry", include_str!("../../../docs/schemas/ps-lifecycle-events.json")),
    ("Explanation", include_str!("../../../docs/schemas/ps-explain.json")),
];

pub(crate) async fn description() -> Response {
    match described() {
        Ok(description) => Json(description).into_response(),
        Err(error) => failed(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn described() -> serde_json::Result<Value> {
    let mut description: Value = serde_json::from_str(DESCRIPTION)?;
    description["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    for (name, schema) in ROWS {
        let mut schema: Value = serde_json::from_str(schema)?;
        if let Some(schema) = schema.as_object_mut() {
            schema.remove("$schema");
        }
        description["components"]["schemas"][name] = schema;
    }
    Ok(description)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `$ref` below a value.
    fn references(value: &Value) -> Vec<&str> {
        match value {
            Value::Object(map) => map
                .iter()
                .flat_map(|(key, value)| match value.as_str() {
                    Some(target) if key == "$ref" => vec![target],
                    _ => references(value),
                })
                .collect(),
            Value::Array(list) => list.iter().flat_map(references).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn every_reference_leads_to_a_schema_that_is_there() {
        let description = described().expect("JSON");
        let references = references(&description["paths"]);
        assert!(references.len() > ROWS.len(), "{references:?}");
        for target in references {
            let place = target.strip_prefix('#').expect("of this document");
            assert!(description.pointer(place).is_some(), "{target}");
        }
    }
}

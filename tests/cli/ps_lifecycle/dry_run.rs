//! What `ps-scale --dry-run --json` says, read.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::program::Ran;
use crate::schema;

/// Slot to action, of a plan as JSON.
pub(crate) fn actions(ran: &Ran) -> BTreeMap<String, String> {
    let plan: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|why| panic!("{why}: {ran:?}"));
    let schema =
        serde_json::from_str(include_str!("../../../docs/schemas/ps-scale-plan.json")).expect("JSON");
    assert_eq!(schema::complaints(&schema, &plan), [""; 0], "{ran:?}");
    let rows = plan["instances"].as_array().expect("instances").iter();
    let word = |row: &Value, key: &str| row[key].as_str().expect("text").to_owned();
    rows.map(|row| (format!("{}.{}", word(row, "process_type"), row["index"]), word(row, "action"))).collect()
}

//! `formation`: how many instances of each type.

use std::collections::BTreeMap;

use formation::{MAX_QUANTITY, ProcessType, Quantity};

use crate::Error;
use crate::keys::FORMATION;
use crate::node::{self, Node};
use crate::remark::Remark;

/// Reads on into what an earlier `formation` of the same file said, as Go does.
pub(crate) fn read(
    node: &Node<'_>,
    formation: &mut BTreeMap<String, Option<i64>>,
    remarks: &mut Vec<Remark>,
) -> Result<(), Error> {
    for (name, entry) in node.members()? {
        entry.members_or("an object such as {\"quantity\": 1}")?;
        let mut quantity = None;
        for (key, field) in entry.fields(FORMATION, remarks)? {
            match key {
                "quantity" => quantity = field.whole_number()?,
                "max_parallel" if field.whole_number()?.is_some() => {
                    remarks.push(Remark::unread(
                        &field.place,
                        "instances start as the scheduler has them start",
                    ));
                }
                _ => {}
            }
        }
        if formation.insert(name.to_owned(), quantity).is_some() {
            remarks.push(Remark::Twice { place: entry.place });
        }
    }
    Ok(())
}

/// A count as a formation may have it.
pub(crate) fn judge(name: &str, quantity: i64) -> Result<(ProcessType, Quantity), Error> {
    let place = node::place("formation", name);
    let process_type = name.parse().map_err(|why: formation::InvalidProcessType| Error::Name {
        place: place.clone(),
        why: why.to_string(),
    })?;
    let quantity =
        u64::try_from(quantity).ok().and_then(|count| Quantity::new(count).ok()).ok_or_else(|| {
            const { assert!(MAX_QUANTITY == 10_000) };
            Error::Value {
                place: format!("{place}.quantity"),
                wanted: "a whole number from 0 to 10,000",
                got: quantity.to_string(),
            }
        })?;
    Ok((process_type, quantity))
}

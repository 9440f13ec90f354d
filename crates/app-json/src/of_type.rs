//! `formation`: how many instances of each process type, the order in which a deploy brings them up, and the settings
//! of the type.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use formation::{MAX_QUANTITY, ProcessType, Quantity};
use ps_rollout::Strategy;
use type_settings::Setting;

use crate::Error;
use crate::keys;
use crate::node::{self, Node};
use crate::remark::Remark;

/// The values of `formation.<type>`; `None`: the file does not set it.
#[derive(Clone, Debug, Default)]
pub(crate) struct OfType {
    /// The number in the file; [`judge`] decides whether a formation may have it.
    pub(crate) quantity: Option<i64>,
    pub(crate) max_parallel: Option<NonZeroU16>,
    pub(crate) strategy: Option<Strategy>,
    /// The settings of the type, each as valid text.
    pub(crate) settings: Vec<(&'static Setting, String)>,
    /// The first setting that is not valid. It is refused only if settings are asked for, because Dokku does not know
    /// them.
    pub(crate) nonsense: Option<Error>,
}

/// Adds the values of another `formation` of the same file to those read before, as Go's decoder does.
pub(crate) fn read(
    node: &Node<'_>,
    formation: &mut BTreeMap<String, OfType>,
    remarks: &mut Vec<Remark>,
) -> Result<(), Error> {
    for (name, entry) in node.members()? {
        entry.members_or("an object such as {\"quantity\": 1}")?;
        let mut of_type = OfType::default();
        for (key, field) in entry.fields(&keys::formation(), remarks)? {
            match key {
                "quantity" => of_type.quantity = field.whole_number()?,
                "max_parallel" => of_type.max_parallel = field.whole_number()?.and_then(at_a_time),
                "strategy" => of_type.strategy = strategy(&field)?,
                _ => of_type.take_setting(key, &field),
            }
        }
        if formation.insert(name.to_owned(), of_type).is_some() {
            remarks.push(Remark::Twice { place: entry.place });
        }
    }
    Ok(())
}

impl OfType {
    fn take_setting(&mut self, key: &str, field: &Node<'_>) {
        let Some(setting) = Setting::all().iter().find(|setting| setting.key == key) else { return };
        self.settings.retain(|(other, _)| other.key != key);
        match field.setting(setting) {
            Ok(Some(text)) if setting.accepts(&text) => self.settings.push((setting, text)),
            Ok(None) => (),
            Ok(Some(text)) => self.refuse(match setting.explained(&text) {
                Some(why) => Error::Name { place: field.place.clone(), why },
                None => field.refuse_content(setting.rule),
            }),
            Err(error) => self.refuse(error),
        }
    }

    fn refuse(&mut self, error: Error) {
        self.nonsense.get_or_insert(error);
    }
}

/// Dokku ignores a number below 1. A number above 65,535 has the same effect as 65,535, because no type has more than
/// 10,000 slots.
fn at_a_time(number: i64) -> Option<NonZeroU16> {
    let number = u64::try_from(number).ok()?;
    NonZeroU16::new(u16::try_from(number).unwrap_or(u16::MAX))
}

fn strategy(field: &Node<'_>) -> Result<Option<Strategy>, Error> {
    let Some(word) = field.string()? else { return Ok(None) };
    let found = Strategy::ALL.into_iter().find(|strategy| strategy.as_str() == word);
    found.map(Some).ok_or_else(|| field.refuse("overlap, one-by-one or stop-first"))
}

/// The count, if a formation may have it; otherwise an error.
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

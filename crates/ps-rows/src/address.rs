//! The row of `proxy`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use balance::OPTIONS;
use ps_scheduler::Reached;
use serde::Serialize;

use crate::failure;

/// One option of an app's address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AddressRow<'a> {
    /// The app.
    pub app: &'a str,
    /// The name of the option, which is that of the property too.
    pub option: &'static str,
    /// The property; `None`: it is not set.
    pub set: Option<String>,
    /// The value that the app's supervisor uses; `None`: the default; for `listen` and `tls`: no address.
    pub in_force: Option<String>,
}

impl<'a> AddressRow<'a> {
    /// A row for each option: `listen` and `tls` first, the others in the order of their names. `set` has the
    /// values by the names of the properties.
    pub fn of(app: &'a str, set: &BTreeMap<&str, String>, in_force: &Reached) -> Vec<Self> {
        let addresses = ["listen", "tls"].into_iter().map(|option| {
            let all: Vec<String> = match option {
                "listen" => in_force.listen.as_slice().iter().map(ToString::to_string).collect(),
                _ => in_force.frontend.tls.iter().map(ToString::to_string).collect(),
            };
            (option, (!all.is_empty()).then(|| all.join(" ")))
        });
        let options = OPTIONS.into_iter().map(|option| (option, in_force.frontend.options.value(option)));
        let row = |(option, in_force)| Self { app, option, set: set.get(option).cloned(), in_force };
        addresses.chain(options).map(row).collect()
    }
}

/// Writes a header and a row for each option; values that are null in JSON are empty.
pub fn address_csv(out: impl Write, rows: &[AddressRow<'_>]) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    rows.iter().try_for_each(|row| writer.serialize(row)).map_err(failure::of_csv)?;
    writer.flush()
}

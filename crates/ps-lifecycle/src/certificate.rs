//! Whether the certificate of an app's address ends soon: for `status` and `doctor`.

use std::time::SystemTime;

use balance_tls::{Expiry, Source};
use formation::AppName;
use ps_apps::World;
use ps_service::Service;

/// The end of the certificate that clients of an app are shown, if it is less than 14 days away or over. `clock` is the time of day.
/// `None` also if the file cannot be read.
pub(crate) fn ending(world: &World, app: &AppName, clock: SystemTime) -> Option<Expiry> {
    let directory = Service::of(world, app, None).shown_certificates()?;
    Expiry::of(&Source::of_directory(&directory).certificate, clock)
}

//! Whether an app was deployed. For almost every app a file says so. If the app's scheduler is a plugin and no file
//! says so, the plugin is asked.

use std::time::Duration;

use formation::AppName;
use ps_apps::World;
use ps_triggers::Triggers;

use crate::Error;

const QUESTION: &str = "scheduler-is-deployed";
/// How long a plugin may take to answer for one app.
const DEADLINE: Duration = Duration::from_secs(10);

/// Whether the app was deployed. If no plugin answers the question, it was not.
///
/// # Errors
/// Stored data cannot be read, or the plugin did not answer in time or could not be called.
pub fn is_deployed(world: &World, app: &AppName) -> Result<bool, Error> {
    if let Some(is_deployed) = world.recorded_as_deployed(app)? {
        return Ok(is_deployed);
    }
    let scheduler = world.scheduler_name(app)?;
    let triggers = Triggers::new(world).with_deadline(DEADLINE).with_captured_stderr();
    if !triggers.is_implemented(QUESTION)? {
        return Ok(false);
    }
    match triggers.call(QUESTION, &[scheduler.as_str(), app.as_str()]) {
        Ok(_) => Ok(true),
        Err(ps_triggers::Error::Failed { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

//! Whether an app was deployed. Files say so of almost every app. Of one whose scheduler is a plugin, and of which nobody has written
//! it down, the plugin is asked.

use std::time::Duration;

use formation::AppName;
use ps_apps::World;
use ps_triggers::Triggers;

use crate::Error;

const QUESTION: &str = "scheduler-is-deployed";
/// How long a plugin may take to answer for one app.
const DEADLINE: Duration = Duration::from_secs(10);

/// Whether the app was deployed; where no plugin answers the question it was not.
///
/// # Errors
/// What is stored cannot be read; the plugin did not answer in time, or could not be called.
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

//! Dokku's own sentences for errors that Dokku has too. Where Dokku has no sentence, the result is `None`, and our
//! own error is printed.

use formation::{AppName, InvalidAppName, InvalidQuantity};
use ps_apps::{Error, RefusedScaling};

/// A command that needs an app was given none.
pub const NO_APP: &str = "Please specify an app to run the command on";

/// The message of a command for all apps if there is no app.
pub const NO_APPS: &str = "You haven't deployed any applications yet";

/// The app was created and never deployed.
pub fn not_deployed(app: &AppName) -> String {
    format!("App {app} has not been deployed")
}

/// The app does not exist, or its name is not valid.
pub fn of_apps(error: &Error) -> Option<String> {
    match error {
        Error::NoSuchApp { app, .. } => Some(format!("App {app} does not exist")),
        Error::InvalidAppName(InvalidAppName::Empty) => Some(NO_APP.to_owned()),
        Error::InvalidAppName(InvalidAppName::BadCharacter(_) | InvalidAppName::TooLong(..)) => Some(
            "App name must begin with lowercase alphanumeric character, and may only contain lowercase \
             alphanumerics, dots, and hyphens"
                .to_owned(),
        ),
        Error::ReservedAppName { .. }
        | Error::Busy { .. }
        | Error::Corrupt { .. }
        | Error::NoWorld { .. }
        | Error::NoRoots
        | Error::NoPlace { .. }
        | Error::Io { .. } => None,
    }
}

/// The counts that a scale asked for are not valid.
pub fn of_scaling(refused: &RefusedScaling) -> Option<String> {
    match refused {
        RefusedScaling::MissingCount(word) => Some(format!("Missing count for process type {word}")),
        RefusedScaling::Count(name, InvalidQuantity::NotANumber(_)) => {
            Some(format!("Invalid count for process type {name}"))
        }
        // Dokku reads counts as 64-bit numbers.
        RefusedScaling::Count(
            name,
            InvalidQuantity::TooLarge(digits) | InvalidQuantity::Negative(digits),
        ) if digits.parse::<i64>().is_err() => Some(format!("Invalid count for process type {name}")),
        RefusedScaling::Type(name, _) | RefusedScaling::Unknown { name, .. } => {
            Some(format!("{name} is not a valid process name to scale up"))
        }
        RefusedScaling::Count(..)
        | RefusedScaling::NamedTwice(_)
        | RefusedScaling::NoShare(..)
        | RefusedScaling::TooFewCpus { .. }
        | RefusedScaling::BelowZero { .. }
        | RefusedScaling::TooManyTypes(_)
        | RefusedScaling::Release => None,
    }
}

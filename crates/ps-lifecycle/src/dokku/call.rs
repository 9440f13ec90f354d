//! Calling triggers for an app, as the holder of its locks. What a hook says is streamed, so a failure of it needs no
//! second word from us; its exit status is ours.

use std::fmt;

use anyhow::Result;
use ps_apps::{AppLock, World};
use ps_cli::exit::Refusal;
use ps_triggers::{Error, Triggers};

/// A way to call triggers.
pub(crate) struct Caller(Triggers);

impl Caller {
    /// For nobody in particular, or for hooks, which hold nothing.
    pub(crate) fn new(world: &World) -> Self {
        Self(Triggers::new(world))
    }

    /// For who holds this lock: what is called holds it too.
    pub(crate) fn holding(world: &World, lock: &AppLock) -> Self {
        let (variable, token) = lock.token();
        Self(Triggers::new(world).with_env(variable, token))
    }

    /// Runs every hook with our own stdin, stdout and stderr.
    pub(crate) fn stream(&self, trigger: &str, arguments: &[&str]) -> Result<()> {
        self.0.stream(trigger, arguments).map_err(|error| TriggerFailed::of(&error, None).into())
    }

    /// [`Caller::stream`] for one whose failure has words of Dokku's, put before the reason.
    pub(crate) fn stream_or(&self, trigger: &str, arguments: &[&str], words: &'static str) -> Result<()> {
        self.0.stream(trigger, arguments).map_err(|error| TriggerFailed::of(&error, Some(words)).into())
    }

    /// What the hooks answer.
    pub(crate) fn ask(&self, trigger: &str, arguments: &[&str]) -> Result<String> {
        let answer = self.0.call(trigger, arguments);
        answer.map(|output| output.text()).map_err(|error| TriggerFailed::of(&error, None).into())
    }

    /// The tag of the image that is deployed; `latest` where nobody knows of another.
    pub(crate) fn image_tag(&self, app: &str) -> Result<String> {
        let tag = self.ask("deployed-app-image-tag", &[app])?;
        Ok(if tag.is_empty() { "latest".to_owned() } else { tag })
    }

    /// Whether a plugin answers a question, and says yes by its exit status.
    pub(crate) fn says_yes(&self, trigger: &str, arguments: &[&str]) -> Result<bool> {
        let triggers = self.0.clone().with_captured_stderr();
        Ok(triggers.is_implemented(trigger)? && triggers.call(trigger, arguments).is_ok())
    }
}

/// A hook failed.
#[derive(Debug)]
struct TriggerFailed {
    status: u8,
    words: Option<&'static str>,
    reason: String,
    /// It ended by itself, and has said why if it wanted to.
    has_spoken: bool,
}

impl TriggerFailed {
    fn of(error: &Error, words: Option<&'static str>) -> Self {
        Self { status: error.status(), words, reason: error.to_string(), has_spoken: error.has_spoken() }
    }
}

impl fmt::Display for TriggerFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.words {
            Some(words) => write!(f, "{words}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for TriggerFailed {}

/// The error as this program ends with it: a hook that failed by itself has the last word, and what Dokku has words for
/// is said in them.
pub(crate) fn last_words(error: anyhow::Error) -> anyhow::Error {
    if let Some(ps_scheduler::Error::NotDeployed { app }) = error.downcast_ref() {
        return Refusal::failed(format!("App {app} has not been deployed"));
    }
    match error.downcast_ref::<TriggerFailed>() {
        Some(failed) => {
            let is_silent = failed.has_spoken && failed.words.is_none();
            let message = if is_silent { String::new() } else { failed.to_string() };
            Refusal { status: failed.status, message }.into()
        }
        None => error,
    }
}

//! Calling triggers for an app, as the holder of its locks. What a hook says is streamed; if it fails, we say which trigger
//! that was and whose hook, and its exit status is ours.

use std::fmt;

use anyhow::Result;
use ps_apps::{AppLock, World};
use ps_cli::exit::Refusal;
use ps_cli::say;
use ps_triggers::{Error, Triggers};

/// A way to call triggers.
pub(crate) struct Caller(Triggers);

impl Caller {
    /// A caller that holds no lock, as hooks do not.
    pub(crate) fn new(world: &World) -> Self {
        Self(Triggers::new(world))
    }

    /// A caller that holds this lock. The programs that it calls are told so and do not wait for the lock.
    pub(crate) fn holding(world: &World, lock: &AppLock) -> Self {
        let (variable, token) = lock.token();
        Self(Triggers::new(world).with_env(variable, token))
    }

    /// Runs every hook with our own stdin, stdout and stderr.
    pub(crate) fn stream(&self, trigger: &str, arguments: &[&str]) -> Result<()> {
        self.failing(None, self.0.stream(trigger, arguments))
    }

    /// [`Caller::stream`] for a trigger about whose failure Dokku has a sentence; that sentence stands before the reason.
    pub(crate) fn stream_or(&self, trigger: &str, arguments: &[&str], words: &'static str) -> Result<()> {
        self.failing(Some(words), self.0.stream(trigger, arguments))
    }

    /// [`Caller::stream`] for a trigger that deploys. If it fails, the last that hooks wrote to stderr is repeated at the end of
    /// our own output. Dokku's own ps does so too, because a person who deploys looks at the end.
    pub(crate) fn deploy(&self, trigger: &str, arguments: &[&str]) -> Result<()> {
        self.failing(None, self.0.clone().with_kept_stderr().stream(trigger, arguments))
    }

    /// [`Caller::deploy`] for a whole build (`receive-app`). Dokku's build prints on stdout why it failed, so the trigger is not
    /// named.
    pub(crate) fn build(&self, app: &str) -> Result<()> {
        self.deploy("receive-app", &[app]).map_err(|error| match error.downcast::<TriggerFailed>() {
            Ok(failed) => TriggerFailed { is_told: failed.has_spoken, ..failed }.into(),
            Err(error) => error,
        })
    }

    /// The answer of the hooks to a question.
    pub(crate) fn ask(&self, trigger: &str, arguments: &[&str]) -> Result<String> {
        self.failing(None, self.0.call(trigger, arguments)).map(|output| output.text())
    }

    fn failing<T>(&self, words: Option<&'static str>, called: Result<T, Error>) -> Result<T> {
        called.map_err(|error| {
            let (reason, said) = (self.0.told(&error), error.words().to_owned());
            let (status, has_spoken) = (error.status(), error.has_spoken());
            TriggerFailed { status, words, reason, said, has_spoken, is_told: false }.into()
        })
    }

    /// The tag of the image that is deployed; `latest` if no plugin names another.
    pub(crate) fn image_tag(&self, app: &str) -> Result<String> {
        let tag = self.ask("deployed-app-image-tag", &[app])?;
        Ok(if tag.is_empty() { "latest".to_owned() } else { tag })
    }

    /// Whether a plugin has a hook for a question and answers yes, which is exit status 0.
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
    /// Which trigger failed, how, and whose hook it is.
    reason: String,
    /// The end of what hooks wrote to stderr, which is to be repeated; empty if nothing is.
    said: String,
    /// Whether a hook ended by itself: then it could say why.
    has_spoken: bool,
    /// Whether the trigger is not named, because the hooks have said enough.
    is_told: bool,
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

/// The error with which this program ends: a trigger that failed is named, and a refusal for which Dokku has a sentence is
/// said in that sentence.
pub(crate) fn last_words(error: anyhow::Error) -> anyhow::Error {
    if let Some(ps_scheduler::Error::NotDeployed { app }) = error.downcast_ref() {
        return Refusal::failed(format!("App {app} has not been deployed"));
    }
    match error.downcast_ref::<TriggerFailed>() {
        Some(failed) => {
            if !failed.said.is_empty() {
                say::warning(&failed.said);
            }
            let message = if failed.is_told { String::new() } else { failed.to_string() };
            Refusal { status: failed.status, message }.into()
        }
        None => error,
    }
}

//! Calling triggers for an app, as the holder of its locks. What a hook says is streamed; if it fails, we say which trigger
//! that was and whose hook, and its exit status is ours.

use ps_apps::{AppLock, World};
use ps_triggers::Triggers;

use crate::Error;
use crate::order::Call;
use crate::trigger_failed::TriggerFailed;

/// A way to call triggers.
pub struct Caller(Triggers);

impl Caller {
    /// A caller that holds no lock, as hooks do not.
    pub fn new(world: &World) -> Self {
        Self(Triggers::new(world))
    }

    /// A caller that holds this lock. The programs that it calls are told so and do not wait for the lock.
    pub fn holding(world: &World, lock: &AppLock) -> Self {
        let (variable, token) = lock.token();
        Self(Triggers::new(world).with_env(variable, token))
    }

    /// Runs every hook with our own stdin, stdout and stderr.
    pub fn stream(&self, trigger: &str, arguments: &[&str]) -> Result<(), Error> {
        self.failing("", self.0.stream(trigger, arguments))
    }

    /// Makes these calls, one after the other; the first that fails ends it. Of one that deploys, the last that hooks wrote to
    /// stderr is kept, to be repeated at the end of our own output. Dokku's own ps does so too, because a person who deploys looks
    /// at the end.
    pub fn make<'a>(&self, calls: impl IntoIterator<Item = &'a Call>) -> Result<(), Error> {
        for Call { trigger, arguments, is_deploy, words } in calls {
            let triggers = if *is_deploy { self.0.clone().with_kept_stderr() } else { self.0.clone() };
            self.failing(words, triggers.stream(trigger, arguments))?;
        }
        Ok(())
    }

    /// [`Caller::make`] for one call whose hooks must not write to our stdout; what they wrote to theirs.
    pub fn collect(&self, call: &Call) -> Result<Vec<u8>, Error> {
        let triggers = self.0.clone().with_kept_stderr();
        let called = triggers.call(call.trigger, &call.arguments);
        self.failing(call.words, called).map(|output| output.stdout)
    }

    /// Has the app built and deployed (`receive-app`). Dokku's build prints on stdout why it failed, so the trigger is not named.
    pub fn build(&self, app: &str) -> Result<(), Error> {
        let called = self.0.clone().with_kept_stderr().stream("receive-app", &[app]);
        self.failing("", called).map_err(|error| match error {
            Error::Trigger(failed) => TriggerFailed { is_told: failed.has_spoken, ..failed }.into(),
            other => other,
        })
    }

    /// The answer of the hooks to a question.
    pub fn ask(&self, trigger: &str, arguments: &[&str]) -> Result<String, Error> {
        self.failing("", self.0.call(trigger, arguments)).map(|output| output.text())
    }

    fn failing<T>(&self, words: &'static str, called: Result<T, ps_triggers::Error>) -> Result<T, Error> {
        called.map_err(|error| {
            let (reason, said) = (self.0.told(&error), error.words().to_owned());
            let (status, has_spoken) = (error.status(), error.has_spoken());
            TriggerFailed { status, words, reason, said, has_spoken, is_told: false }.into()
        })
    }

    /// The tag of the image that is deployed; `latest` if no plugin names another.
    pub fn image_tag(&self, app: &str) -> Result<String, Error> {
        let tag = self.ask("deployed-app-image-tag", &[app])?;
        Ok(if tag.is_empty() { "latest".to_owned() } else { tag })
    }
}

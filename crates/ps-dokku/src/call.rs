//! Calls triggers for an app while the app's locks are held. The output of hooks is passed on as it comes. If a hook
//! fails, the error names the trigger and the plugin, and the hook's exit status becomes ours.

use ps_apps::{AppLock, World};
use ps_triggers::Triggers;

use crate::Error;
use crate::order::Call;
use crate::trigger_failed::TriggerFailed;

/// Calls triggers.
pub struct Caller(Triggers);

impl Caller {
    /// Calls triggers without holding a lock, as hooks do.
    pub fn new(world: &World) -> Self {
        Self(Triggers::new(world))
    }

    /// Calls triggers while holding this lock. The programs that are called learn of the lock and do not wait for it.
    pub fn holding(world: &World, lock: &AppLock) -> Self {
        let (variable, token) = lock.token();
        Self(Triggers::new(world).with_env(variable, token))
    }

    /// Runs every hook of a trigger with our own stdin, stdout and stderr.
    pub fn stream(&self, trigger: &str, arguments: &[&str]) -> Result<(), Error> {
        self.failing("", self.0.stream(trigger, arguments))
    }

    /// Makes these calls one after the other, up to the first that fails. The last lines that the hooks of a deploy
    /// write to stderr are kept and repeated at the end of our own output. Dokku's own ps plugin does so too, because
    /// a person who deploys looks at the end.
    pub fn make<'a>(&self, calls: impl IntoIterator<Item = &'a Call>) -> Result<(), Error> {
        for Call { trigger, arguments, is_deploy, words } in calls {
            let triggers = if *is_deploy { self.0.clone().with_kept_stderr() } else { self.0.clone() };
            self.failing(words, triggers.stream(trigger, arguments))?;
        }
        Ok(())
    }

    /// Like [`Caller::make`] for one call whose hooks must not write to our stdout: what they write there is
    /// returned.
    pub fn collect(&self, call: &Call) -> Result<Vec<u8>, Error> {
        let triggers = self.0.clone().with_kept_stderr();
        let called = triggers.call(call.trigger, &call.arguments);
        self.failing(call.words, called).map(|output| output.stdout)
    }

    /// Has Dokku build and deploy the app (`receive-app`). Dokku's build has already printed why it failed, so the
    /// error does not name the trigger.
    pub fn build(&self, app: &str) -> Result<(), Error> {
        let called = self.0.clone().with_kept_stderr().stream("receive-app", &[app]);
        self.failing("", called).map_err(|error| match error {
            Error::Trigger(failed) => TriggerFailed { is_told: failed.has_spoken, ..failed }.into(),
            other => other,
        })
    }

    /// What the hooks of a trigger answer on stdout.
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

    /// The tag of the deployed image; `latest` if no plugin names another one.
    pub fn image_tag(&self, app: &str) -> Result<String, Error> {
        let tag = self.ask("deployed-app-image-tag", &[app])?;
        Ok(if tag.is_empty() { "latest".to_owned() } else { tag })
    }
}

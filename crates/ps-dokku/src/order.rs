//! Which triggers a command calls, in which order and with which arguments; the table is in
//! docs/dokku.md#what-is-the-same. The hooks of other plugins rely on this order and on these arguments.

use std::fmt;

/// The argument that means all apps.
pub const ALL: &str = "--all";

/// One call of a trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The name of the trigger.
    pub trigger: &'static str,
    /// The arguments that its hooks get.
    pub arguments: Vec<String>,
    /// Whether the trigger deploys. If such a trigger fails, the last lines that its hooks wrote to stderr are
    /// repeated at the end.
    pub is_deploy: bool,
    /// Dokku's sentence about a failure, which is printed before the reason; empty where Dokku has none.
    pub words: &'static str,
}

impl Call {
    fn new(trigger: &'static str, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
        Self { trigger, arguments, is_deploy: false, words: "" }
    }

    fn deploying(self) -> Self {
        Self { is_deploy: true, ..self }
    }

    fn or(self, words: &'static str) -> Self {
        Self { words, ..self }
    }
}

impl fmt::Display for Call {
    /// The trigger and its arguments, separated by blanks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.trigger)?;
        self.arguments.iter().try_for_each(|word| write!(f, " {word}"))
    }
}

/// `ps:start`, before it was found out whether the app runs.
pub fn before_start(app: &str) -> [Call; 1] {
    [Call::new("pre-start", &[app]).or("Failure in pre-start hook")]
}

/// `ps:start`: releases and deploys the app unless all of it runs. The proxy's configuration is built in any case,
/// because `ps:restore` has cleared it before.
pub fn start(app: &str, tag: &str, is_running: bool) -> Vec<Call> {
    let deploy = (!is_running).then(|| Call::new("release-and-deploy", &[app, tag]).deploying());
    deploy.into_iter().chain([Call::new("proxy-build-config", &[app])]).collect()
}

/// `ps:stop`.
pub fn stop(scheduler: &str, app: &str) -> [Call; 2] {
    [Call::new("scheduler-stop", &[scheduler, app]), Call::new("post-stop", &[app])]
}

/// `ps:restart`, and `ps:scale` for each type whose count has changed.
pub fn deploy(app: &str, tag: &str, process_type: Option<&str>) -> [Call; 1] {
    let arguments: Vec<&str> = [app, tag].into_iter().chain(process_type).collect();
    [Call::new("deploy", &arguments).deploying()]
}

/// `ps:restore`, once, before the apps. If no app was named, [`proxy_clear`] with [`ALL`] follows.
pub fn before_restore() -> [Call; 1] {
    [Call::new("pre-restore", &[]).or("Error running pre-restore")]
}

/// `ps:restore`, for each app. A failure is an error.
pub fn before_restore_of(scheduler: &str, app: &str) -> [Call; 1] {
    [Call::new("scheduler-pre-restore", &[scheduler, app]).or("Error running scheduler-pre-restore")]
}

/// `ps:restore`, for each app, after [`before_restore_of`]. A failure for one app is only reported. The app is
/// started next, as by `ps:start`.
pub fn proxy_clear(app: &str) -> Call {
    Call::new("proxy-clear-config", &[app]).or("Error clearing proxy config")
}

/// `ps:retire` of one app, or of all apps of a scheduler if `app` is empty.
pub fn retire(scheduler: &str, app: &str) -> [Call; 1] {
    [Call::new("scheduler-retire", &[scheduler, app]).or("Error retiring containers")]
}

/// The last call of `ps:retire`.
pub fn after_retire() -> [Call; 1] {
    [Call::new("scheduler-run-retire", &[]).or("Error retiring expired run containers")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(calls: impl IntoIterator<Item = Call>) -> String {
        calls.into_iter().map(|call| call.to_string()).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn the_page_for_people_shows_this_order() {
        let page = include_str!("../../../docs/dokku.md");
        let start = line(before_start("APP").into_iter().chain(start("APP", "TAG", false)));
        let start = start
            .replace("pre-start APP", "pre-start")
            .replace("proxy-build-config APP", "proxy-build-config");
        let rows = [
            format!("deployed-app-image-tag, {}", start.replace("APP TAG", "APP TAG unless it runs")),
            line(stop("S", "APP")),
            line(deploy("APP", "TAG", Some("[TYPE]"))),
            line(deploy("APP", "TAG", Some("TYPE"))),
            line(before_restore().into_iter().chain([proxy_clear(ALL)])).replace(", ", ", without an app "),
            line(before_restore_of("S", "APP").into_iter().chain([proxy_clear("APP")])),
            line(retire("S", "[APP]").into_iter().chain(after_retire())),
        ];
        let page: Vec<&str> = page.lines().filter(|line| line.starts_with("| `ps:")).collect();
        for row in rows {
            let row = row.replace("scheduler-retire S [APP]", "scheduler-retire S APP");
            assert!(page.iter().any(|line| line.contains(&row)), "{row} is in no row of the table");
        }
    }

    #[test]
    fn what_runs_is_not_deployed_again_and_its_proxy_is_built_all_the_same() {
        assert_eq!(line(start("shop", "latest", true)), "proxy-build-config shop");
    }
}

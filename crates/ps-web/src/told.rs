//! The system's reports about changes of apps while a client reads events. If the system cannot report every change, all apps are looked
//! at more often, and a message says so once.

use std::collections::BTreeSet;
use std::future;
use std::io;

use app_watch::{AppWatch, Changed, TOGETHER};
use formation::AppName;
use ps_apps::World;
use ps_cli::say;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time;

/// Watches apps, or nothing.
pub(crate) struct Told {
    world: World,
    watch: Option<AsyncFd<AppWatch>>,
    has_parents: bool,
    has_warned: bool,
}

impl Told {
    /// Nothing is watched.
    pub(crate) fn nothing(world: World) -> Self {
        Self { world, watch: None, has_parents: false, has_warned: false }
    }

    /// Begins to watch. Returns whether it was not watching before: earlier changes are not reported.
    pub(crate) fn begin(&mut self) -> bool {
        if self.watch.is_some() {
            return false;
        }
        match AppWatch::new(&self.world).and_then(registered) {
            Ok(watch) => self.watch = Some(watch),
            Err(error) => self.warn(&error.to_string()),
        }
        self.watch.is_some()
    }

    /// Ends the watch, because no client needs reports.
    pub(crate) fn end(&mut self) {
        self.watch = None;
    }

    /// Watches the directories that contain apps. Must be called before the apps are listed.
    pub(crate) fn watch_parents(&mut self) {
        if let Some(watch) = &mut self.watch {
            self.has_parents = watch.get_mut().watch_parents();
        }
    }

    /// Watches these apps. Must be called before they are read.
    pub(crate) fn know(&mut self, apps: BTreeSet<AppName>) {
        let Some(watch) = &mut self.watch else { return };
        watch.get_mut().know(apps);
        if let Some(why) = watch.get_ref().shortfall().map(str::to_owned) {
            self.warn(&why);
        }
    }

    /// Whether every change of a native app is reported.
    pub(crate) fn is_complete(&self) -> bool {
        self.has_parents && self.watch.as_ref().is_some_and(|watch| watch.get_ref().shortfall().is_none())
    }

    /// Waits for changes. Returns them.
    pub(crate) async fn changed(&mut self) -> Changed {
        let Some(watch) = &mut self.watch else { return future::pending().await };
        let Ok(mut ready) = watch.readable_mut().await else { return future::pending().await };
        // If a caller stops waiting here, nothing is lost: the descriptor stays readable until it is read.
        time::sleep(TOGETHER).await;
        ready.clear_ready();
        ready.get_inner_mut().read()
    }

    fn warn(&mut self, why: &str) {
        if !std::mem::replace(&mut self.has_warned, true) {
            say::warning(&format!(
                "not every change is reported ({why}), so all apps are read every 5 s at least"
            ));
        }
    }
}

#[expect(
    deprecated,
    reason = "what replaces it is unsafe, for types that close the descriptor which they name; a watch keeps its own open"
)]
fn registered(watch: AppWatch) -> io::Result<AsyncFd<AppWatch>> {
    AsyncFd::with_interest(watch, Interest::READABLE)
}

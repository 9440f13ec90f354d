//! Directs the clients of apps on a swarm that have an address to the present tasks.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use formation::AppName;
use ps_apps::World;
use ps_scheduler_docker::{Deed, News, What};
use ps_scheduler_swarm::{AddressWatch, Swarm};

/// Starts a thread that watches the swarm. For each piece of news it writes a byte to `waking`, which wakes the owner
/// of the other end.
pub(super) fn begin(world: &World, only: Option<AppName>, mut waking: UnixStream) -> Receiver<News> {
    let (tell, told) = mpsc::channel();
    let world = world.clone();
    thread::spawn(move || {
        let swarm = Swarm::new(&world);
        let mut watch = AddressWatch::new(&swarm, only);
        let mut is_silent = false;
        loop {
            let looked = watch.look();
            let was_silent = std::mem::replace(&mut is_silent, looked.is_err());
            let news = match looked {
                Ok(apps) => apps.into_iter().map(redirected).collect(),
                Err(_) if was_silent => Vec::new(),
                Err(error) => vec![News::Say(format!("{error}; it is asked again"))],
            };
            for one in news {
                // The receiver is dropped when the watch ends.
                if tell.send(one).is_err() || waking.write_all(&[0]).is_err() {
                    return;
                }
            }
            thread::sleep(watch.pause());
        }
    });
    told
}

fn redirected(app: AppName) -> News {
    News::Do(Deed { app, what: What::Redirect, why: "the swarm runs other tasks of it".to_owned() })
}

//! Whoever deploys may die at any moment: a caller that is killed as soon as the engine has done what it was asked, before it hears of it.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::head_and_body;

/// Listens on `socket` for the engine on another one. Looking is free; of the calls that change something the `fatal`th is carried out, but
/// its answer never arrives, and neither does anything after it. Then `died` is told; where nobody listens to that, the connection is closed
/// instead.
///
/// # Panics
/// Where it cannot listen.
pub fn fatal_proxy(engine: &Path, socket: &Path, fatal: usize, died: Sender<()>) {
    let listener = UnixListener::bind(socket).expect("a socket");
    let engine = engine.to_owned();
    thread::spawn(move || {
        let mut calls = 0;
        let mut held = Vec::new();
        for client in listener.incoming().flatten() {
            if calls >= fatal {
                continue;
            }
            let request = head_and_body(&client);
            calls += usize::from(!request.starts_with(b"GET "));
            let mut engine = UnixStream::connect(&engine).expect("the engine");
            engine.write_all(&request).expect("takes the request");
            if calls >= fatal {
                // The first byte of the answer: the engine is done.
                let _ = engine.read(&mut [0]);
                if died.send(()).is_ok() {
                    // Whoever asked waits until he is dead.
                    held.push(client);
                }
                continue;
            }
            thread::spawn(move || std::io::copy(&mut engine, &mut &client));
        }
    });
}

/// Lets a caller die at that call; `false` if it was over before. The caller was told to ask `socket`.
///
/// # Panics
/// Where the caller ends by itself, and says that it has failed.
pub fn dies_at(engine: &Path, socket: &Path, fatal: usize, caller: &mut Command) -> bool {
    let (died, is_dying): (Sender<()>, Receiver<()>) = channel();
    fatal_proxy(engine, socket, fatal, died);
    let mut caller = caller.spawn().expect("it can be run");
    loop {
        if is_dying.try_recv().is_ok() {
            caller.kill().expect("it can be killed");
            caller.wait().expect("it is ours");
            return true;
        }
        if let Some(status) = caller.try_wait().expect("it is ours") {
            assert!(status.success(), "call {fatal}: it ended by itself, with {status}");
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

//! The loop of the screen: waits for messages, passes them to the model, carries out the effects that the model
//! returns, and draws.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ps_apps::World;
use ps_cli::exit::Outcome;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use crate::frame::Look;
use crate::message::{Effect, Message};
use crate::model::Model;
use crate::screen::Screen;
use crate::sources::{Scope, Sources, signals};
use crate::update::update;

/// How many messages may wait; a thread that has more is blocked.
pub(crate) const WAITING: usize = 256;
/// The least time between two frames: changes within it are drawn together.
const FRAME: Duration = Duration::from_millis(40);
const SECOND: Duration = Duration::from_secs(1);

/// Runs until the user leaves.
pub(crate) fn run(world: &World, scope: Scope, look: &Look) -> anyhow::Result<Outcome> {
    let (to, from) = sync_channel(WAITING);
    signals::catch(to.clone())?;
    let mut screen = Screen::enter()?;
    let mut sources = Sources::begin(world, scope, &to);
    read_keys(to);
    let mut model = Model::new(Timestamp::now(), world.inside_dokku());
    let (mut next_second, mut next_frame) = (Instant::now(), Instant::now());
    let mut is_new = true;
    loop {
        let now = Instant::now();
        let mut effects = Vec::new();
        if now >= next_second {
            next_second = now + SECOND;
            effects.extend(update(&mut model, Message::Now(Timestamp::now())));
            for message in sources.second(&model) {
                effects.extend(update(&mut model, message));
            }
            is_new = true;
        }
        if is_new && now >= next_frame {
            effects.extend(model.settle());
            screen.draw(&mut model, look)?;
            (is_new, next_frame) = (false, Instant::now() + FRAME);
        }
        sources.begin_due();
        let until =
            [Some(next_second), is_new.then_some(next_frame), sources.due()].into_iter().flatten().min();
        let wait = until.map_or(SECOND, |until| until.saturating_duration_since(Instant::now()));
        let first = match from.recv_timeout(wait) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Ok(Outcome::No),
        };
        for message in first.into_iter().chain(from.try_iter().take(WAITING)) {
            if matches!(message, Message::Redraw) {
                screen.anew()?;
            }
            effects.extend(update(&mut model, message));
            is_new = true;
        }
        for effect in effects {
            match effect {
                Effect::Quit(status) => return Ok(Outcome::Status(status)),
                Effect::Suspend => screen.suspend()?,
                effect => sources.perform(effect),
            }
        }
    }
}

/// Reads keys and changes of the terminal's size in a thread, so that no other work waits for them. At the end of the
/// terminal the program ends.
fn read_keys(to: SyncSender<Message>) {
    thread::spawn(move || {
        loop {
            let message = match event::read() {
                Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => Message::Key(key),
                Ok(Event::Resize(..)) => Message::Resized,
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => Message::Quit(ps_cli::exit::FAILED),
            };
            let is_last = matches!(message, Message::Quit(_));
            if to.send(message).is_err() || is_last {
                return;
            }
        }
    });
}

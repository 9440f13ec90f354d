//! The terminal: it is taken over, drawn on, and restored however the program ends.

use std::io::{self, Stdout, Write};
use std::panic;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use crate::frame::{self, Look};
use crate::model::Model;

/// The terminal while this program uses it.
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes over the terminal. A panic restores it before its message is printed.
    pub(crate) fn enter() -> io::Result<Self> {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |information| {
            give_back();
            before(information);
        }));
        Ok(Self { terminal: take()? })
    }

    /// Draws the changes.
    pub(crate) fn draw(&mut self, model: &mut Model, look: &Look) -> io::Result<()> {
        self.terminal.draw(|frame| {
            frame::arrange(model, frame.area());
            frame::draw(model, look, frame.buffer_mut());
        })?;
        Ok(())
    }

    /// Takes over the terminal and draws everything again, because another program has written to it.
    pub(crate) fn anew(&mut self) -> io::Result<()> {
        self.terminal = take()?;
        Ok(())
    }

    /// Restores the terminal, stops the program, and takes the terminal again once the program is continued.
    pub(crate) fn suspend(&mut self) -> io::Result<()> {
        give_back();
        signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
        self.anew()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take() -> io::Result<Terminal<CrosstermBackend<Stdout>>> {
    enable_raw_mode()?;
    let mut out = io::stdout();
    execute!(out, EnterAlternateScreen, Clear(ClearType::All), Hide)?;
    // The library's function to clear the screen asks the terminal for the position of the cursor, which not
    // every terminal reports.
    Terminal::new(CrosstermBackend::new(out))
}

fn give_back() {
    let _ = disable_raw_mode();
    let mut out = io::stdout();
    let _ = execute!(out, LeaveAlternateScreen, Show);
    let _ = out.flush();
}

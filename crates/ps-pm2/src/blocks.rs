//! `list -m`: a block of lines for each instance.

use std::io::{self, Write};

use procfile_exchange::pm2::as_text;

use crate::row::Row;
use crate::table::{mode, size, uptime};

/// Prints them.
pub(crate) fn print(rows: &[Row<'_>]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for row in rows {
        let (app, id) = (row.app, row.instance.id);
        writeln!(out, "+--- {}", app.name)?;
        writeln!(out, "pid : {}", row.pid)?;
        writeln!(out, "pm2 id : {id}")?;
        writeln!(out, "status : {}", row.status.as_str())?;
        writeln!(out, "mode : {}", mode(row))?;
        writeln!(out, "port : {}", app.port.as_ref().map_or_else(|| "undefined".to_owned(), as_text))?;
        writeln!(out, "restarted : {}", row.restarts)?;
        writeln!(out, "uptime : {}", uptime(row))?;
        writeln!(out, "memory usage : {}", size(row.memory))?;
        writeln!(out, "out log : {}", app.out_of(id).display())?;
        writeln!(out, "error log : {}", app.err_of(id).display())?;
        writeln!(out, "PID file : {}\n", app.pid_of(id).display())?;
    }
    Ok(())
}

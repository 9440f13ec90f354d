//! A process that writes while what keeps it changes, and what has become of every byte.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::home::{Home, eventually};

/// It counts, at some 20 MB/s where the machine is fast enough, as far as it may (`most`), until it is `enough`; stderr says
/// then how far it came.
const WORKER: &str = "n=0\n\
                      until [ -e enough ]; do\n\
                        read most <most\n\
                        if [ $n -lt $most ]; then seq $((n+1)) $((n+20000)); n=$((n+20000)); fi\n\
                        sleep 0.005\n\
                      done\n\
                      echo counted to $n >&2\n\
                      exec sleep 100000\n";

/// What `worker.sh` of the app `shop` writes.
pub(crate) struct Worker {
    source: PathBuf,
    logs: PathBuf,
    /// How far it may count.
    most: u64,
}

impl Worker {
    /// Puts it into the source. It may not write yet.
    pub(crate) fn of(home: &Home) -> Self {
        home.write("shop/worker.sh", WORKER);
        let logs = home.path("lib/data/scheduler-native/shop/worker.1/log");
        let mut worker = Self { source: home.path("shop"), logs, most: 0 };
        worker.may_write(0);
        worker
    }

    /// It may write so many more records.
    pub(crate) fn may_write(&mut self, records: u64) {
        self.most += records;
        let next = self.source.join("most.next");
        fs::write(&next, format!("{}\n", self.most)).expect("written");
        // It never reads half a number.
        fs::rename(next, self.source.join("most")).expect("it was just written");
    }

    /// What bash does with the segments of a stream, which are read in the order of `ls -v`.
    fn bash(&self, command: &str, word: &str) -> Output {
        let script = format!("segments() {{ ls -v $1*; }}; {command}");
        let mut bash = Command::new("bash");
        bash.args(["-c", &script, "bash", word]).current_dir(&self.logs).stdin(Stdio::null());
        bash.output().expect("bash runs")
    }

    /// Waits until all that it may write is kept.
    pub(crate) fn await_all(&self) {
        eventually("the worker writes on", || {
            let last = self.bash("zcat -f $(segments stdout | tail -n 2) | tail -n 1", "").stdout;
            let last = String::from_utf8_lossy(&last);
            let is_all = last.trim().parse().is_ok_and(|last: u64| last >= self.most);
            if is_all { Ok(()) } else { Err(format!("{last} of {}", self.most)) }
        });
    }

    /// That it writes, and that this is kept.
    pub(crate) fn writes_on(&mut self) {
        self.may_write(100_000);
        self.await_all();
    }

    /// That what is kept is what it wrote: every record once, in order, whole. It writes no more.
    pub(crate) fn kept_every_byte(&self) {
        fs::write(self.source.join("enough"), "").expect("written");
        let last = eventually("the worker says how far it came", || {
            let said = self.bash("zcat -f $(segments stderr)", "").stdout;
            let said = String::from_utf8_lossy(&said);
            said.strip_prefix("counted to ").map(|word| word.trim_end().to_owned()).ok_or(said.into_owned())
        });
        // Whoever reads while a segment is replaced by what it was compressed to may miss it.
        eventually("every byte is kept once and in order", || {
            let compared = self.bash("cmp <(seq 1 $1) <(zcat -f $(segments stdout))", &last);
            if compared.status.success() { Ok(()) } else { Err(format!("{compared:?}")) }
        });
    }
}

//! Resource limits: one vocabulary for the units of every format.

use crate::export::error::ExportError;

/// What can be limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Size of a core dump, in KiB.
    CoreDump,
    /// Processor time, in seconds.
    CpuTime,
    /// Data segment, in KiB.
    Data,
    /// Size of a file, in KiB.
    FileSize,
    /// Locked memory, in KiB.
    LockedMemory,
    /// Open files.
    OpenFiles,
    /// Processes of the user.
    UserProcesses,
    /// Resident memory, in KiB.
    PhysicalMemory,
    /// Stack, in KiB.
    StackSize,
}

/// How each format calls a resource.
struct Names {
    flag: &'static str,
    systemd: &'static str,
    launchd: &'static str,
    upstart: &'static str,
    ulimit: char,
    unit: Unit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Plain,
    Kibibytes,
    /// The flag counts in KiB, and a POSIX `ulimit` in blocks of 512 bytes.
    Blocks,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::CoreDump,
        Self::CpuTime,
        Self::Data,
        Self::FileSize,
        Self::LockedMemory,
        Self::OpenFiles,
        Self::UserProcesses,
        Self::PhysicalMemory,
        Self::StackSize,
    ];

    /// The name behind `--limit-`.
    pub fn flag(self) -> &'static str {
        self.names().flag
    }

    fn names(self) -> Names {
        let names = |flag, systemd, launchd, upstart, ulimit, unit| Names {
            flag,
            systemd,
            launchd,
            upstart,
            ulimit,
            unit,
        };
        match self {
            Self::CoreDump => names("coredump", "LimitCORE", "Core", "core", 'c', Unit::Blocks),
            Self::CpuTime => names("cputime", "LimitCPU", "CPU", "cpu", 't', Unit::Plain),
            Self::Data => names("data", "LimitDATA", "Data", "data", 'd', Unit::Kibibytes),
            Self::FileSize => names("file-size", "LimitFSIZE", "FileSize", "fsize", 'f', Unit::Blocks),
            Self::LockedMemory => {
                names("locked-memory", "LimitMEMLOCK", "MemoryLock", "memlock", 'l', Unit::Kibibytes)
            }
            Self::OpenFiles => {
                names("open-files", "LimitNOFILE", "NumberOfFiles", "nofile", 'n', Unit::Plain)
            }
            Self::UserProcesses => {
                names("user-processes", "LimitNPROC", "NumberOfProcesses", "nproc", 'u', Unit::Plain)
            }
            Self::PhysicalMemory => {
                names("physical-memory", "LimitRSS", "ResidentSetSize", "rss", 'm', Unit::Kibibytes)
            }
            Self::StackSize => names("stack-size", "LimitSTACK", "Stack", "stack", 's', Unit::Kibibytes),
        }
    }
}

/// A limit: a number in the unit of its resource, or no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is limited.
    pub resource: Resource,
    amount: Option<u32>,
}

impl Limit {
    /// Reads a number, `unlimited` or `infinity`.
    pub fn parse(resource: Resource, word: &str) -> Result<Self, ExportError> {
        let amount = match word {
            "unlimited" | "infinity" => None,
            digits => Some(
                digits
                    .parse()
                    .map_err(|_| ExportError::Limit { flag: resource.flag(), word: word.to_owned() })?,
            ),
        };
        Ok(Self { resource, amount })
    }

    /// `LimitNOFILE=99`.
    pub(crate) fn systemd(self) -> String {
        let names = self.resource.names();
        let suffix = if names.unit == Unit::Plain { "" } else { "K" };
        match self.amount {
            Some(amount) => format!("{}={amount}{suffix}", names.systemd),
            None => format!("{}=infinity", names.systemd),
        }
    }

    /// Name and value of the limit in a property list. Without a limit there is no value: launchd sets none for an absent key.
    pub(crate) fn launchd(self) -> Option<(&'static str, u64)> {
        Some((self.resource.names().launchd, self.absolute()?))
    }

    /// The stanza of Upstart: `limit nofile 99 99`.
    pub(crate) fn upstart(self) -> String {
        let amount = self.absolute().map_or_else(|| "unlimited".to_owned(), |amount| amount.to_string());
        format!("limit {} {amount} {amount}", self.resource.names().upstart)
    }

    /// The command of a POSIX shell: `ulimit -n 99`.
    pub(crate) fn ulimit(self) -> String {
        let names = self.resource.names();
        let factor = if names.unit == Unit::Blocks { 2 } else { 1 };
        let amount = self.amount.map(|amount| (u64::from(amount) * factor).to_string());
        format!("ulimit -{} {}", names.ulimit, amount.as_deref().unwrap_or("unlimited"))
    }

    /// The number in bytes, in seconds, or as a count.
    fn absolute(self) -> Option<u64> {
        let factor = if self.resource.names().unit == Unit::Plain { 1 } else { 1024 };
        self.amount.map(|amount| u64::from(amount) * factor)
    }
}

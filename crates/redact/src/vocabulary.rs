//! The engines' own vocabulary: drivers, capabilities, states, modes. A value at such a place is one of these words, or
//! it is masked.

use crate::hex::is_hex;
use crate::words;

/// The words of the list with that name, joined by `|`; a text that is not a name is itself such a list.
pub(crate) fn named(name: &'static str) -> &'static str {
    match name {
        "driver" => {
            "overlay2|overlay|overlayfs|fuse-overlayfs|aufs|btrfs|zfs|vfs|windowsfilter|devicemapper|stargz|bridge|\
             host|macvlan|ipvlan|null|none|nat|transparent|l2bridge|l2tunnel|ics|local|volume|image"
        }
        "architecture" => "amd64|x86_64|386|i386|arm|arm64|aarch64|ppc64le|riscv64|s390x|mips64le|loong64",
        "runtime" => {
            "runc|crun|runsc|kata|kata-runtime|youki|nvidia|io.containerd.runc.v2|oci|com.docker.hcsshim.v1"
        }
        "log-driver" => {
            "json-file|local|none|journald|syslog|gelf|fluentd|awslogs|splunk|etwlogs|gcplogs|logentries|k8s-file|\
             passthrough"
        }
        "ulimit" => {
            "nofile|nproc|core|cpu|data|fsize|locks|memlock|msgqueue|nice|rss|rtprio|rttime|sigpending|stack|\
             RLIMIT_NOFILE|RLIMIT_NPROC|RLIMIT_CORE|RLIMIT_MEMLOCK|RLIMIT_STACK"
        }
        "propagation" => "private|rprivate|shared|rshared|slave|rslave",
        "layers" => "layers|layers+base",
        "media-type" => {
            "application/vnd.oci.image.manifest.v1+json|application/vnd.oci.image.index.v1+json|\
             application/vnd.docker.distribution.manifest.v2+json|\
             application/vnd.docker.distribution.manifest.list.v2+json"
        }
        "license" => {
            "MIT|Apache-2.0|BSD-2-Clause|BSD-3-Clause|ISC|MPL-2.0|GPL-2.0|GPL-2.0-only|GPL-2.0-or-later|GPL-3.0|\
             GPL-3.0-only|GPL-3.0-or-later|LGPL-2.1|LGPL-3.0|AGPL-3.0|AGPL-3.0-only|AGPL-3.0-or-later|PostgreSQL|\
             Unlicense|Zlib|CC0-1.0|BUSL-1.1|SSPL-1.0|NOASSERTION"
        }
        "task-state" => {
            "new|allocated|pending|assigned|accepted|preparing|ready|starting|running|complete|shutdown|failed|\
             rejected|remove|orphaned|unknown|down|disconnected"
        }
        "capability" => concat!(
            "ALL|AUDIT_CONTROL|AUDIT_READ|AUDIT_WRITE|BLOCK_SUSPEND|BPF|CHECKPOINT_RESTORE|CHOWN|DAC_OVERRIDE|",
            "DAC_READ_SEARCH|FOWNER|FSETID|IPC_LOCK|IPC_OWNER|KILL|LEASE|LINUX_IMMUTABLE|MAC_ADMIN|MAC_OVERRIDE|",
            "MKNOD|NET_ADMIN|NET_BIND_SERVICE|NET_BROADCAST|NET_RAW|PERFMON|SETFCAP|SETGID|SETPCAP|SETUID|SYSLOG|",
            "SYS_ADMIN|SYS_BOOT|SYS_CHROOT|SYS_MODULE|SYS_NICE|SYS_PACCT|SYS_PTRACE|SYS_RAWIO|SYS_RESOURCE|",
            "SYS_TIME|SYS_TTY_CONFIG|WAKE_ALARM|CAP_AUDIT_CONTROL|CAP_AUDIT_READ|CAP_AUDIT_WRITE|CAP_BLOCK_SUSPEND|",
            "CAP_BPF|CAP_CHECKPOINT_RESTORE|CAP_CHOWN|CAP_DAC_OVERRIDE|CAP_DAC_READ_SEARCH|CAP_FOWNER|CAP_FSETID|",
            "CAP_IPC_LOCK|CAP_IPC_OWNER|CAP_KILL|CAP_LEASE|CAP_LINUX_IMMUTABLE|CAP_MAC_ADMIN|CAP_MAC_OVERRIDE|",
            "CAP_MKNOD|CAP_NET_ADMIN|CAP_NET_BIND_SERVICE|CAP_NET_BROADCAST|CAP_NET_RAW|CAP_PERFMON|CAP_SETFCAP|",
            "CAP_SETGID|CAP_SETPCAP|CAP_SETUID|CAP_SYSLOG|CAP_SYS_ADMIN|CAP_SYS_BOOT|CAP_SYS_CHROOT|",
            "CAP_SYS_MODULE|CAP_SYS_NICE|CAP_SYS_PACCT|CAP_SYS_PTRACE|CAP_SYS_RAWIO|CAP_SYS_RESOURCE|",
            "CAP_SYS_TIME|CAP_SYS_TTY_CONFIG|CAP_WAKE_ALARM"
        ),
        words => words,
    }
}

pub(crate) fn is_security_opt(text: &str) -> bool {
    let profile = text.strip_prefix("apparmor=").or_else(|| text.strip_prefix("apparmor:"));
    matches!(
        text,
        "no-new-privileges"
            | "no-new-privileges:true"
            | "no-new-privileges=true"
            | "no-new-privileges:false"
            | "seccomp=unconfined"
            | "seccomp:unconfined"
            | "seccomp=builtin"
            | "systempaths=unconfined"
            | "label=disable"
            | "label:disable"
            | "mask=/proc"
            | "unmask=ALL"
    ) || profile.is_some_and(|name| matches!(name, "unconfined" | "docker-default") || words::is_common(name))
}

pub(crate) fn is_kernel_path(text: &str) -> bool {
    let known = [
        "asound",
        "acpi",
        "interrupts",
        "kcore",
        "keys",
        "latency_stats",
        "timer_list",
        "timer_stats",
        "sched_debug",
        "scsi",
        "bus",
        "fs",
        "irq",
        "sys",
        "sysrq-trigger",
    ];
    let throttle = |rest: &str| {
        rest.strip_suffix("/thermal_throttle")
            .is_some_and(|cpu| (1..=4).contains(&cpu.len()) && cpu.bytes().all(|b| b.is_ascii_digit()))
    };
    text.strip_prefix("/proc/").is_some_and(|rest| known.contains(&rest))
        || matches!(
            text,
            "/sys/firmware"
                | "/sys/fs/selinux"
                | "/sys/dev/block"
                | "/sys/dev"
                | "/sys/devices/virtual/powercap"
        )
        || text.strip_prefix("/sys/devices/system/cpu/cpu").is_some_and(throttle)
}

/// Whether the text is a mode that the engine knows, or names another container by its id.
pub(crate) fn is_mode(text: &str) -> bool {
    let other = ["container:", "ns:"].iter().find_map(|prefix| text.strip_prefix(prefix));
    matches!(
        text,
        "default"
            | "bridge"
            | "host"
            | "none"
            | "private"
            | "shareable"
            | "nat"
            | "slirp4netns"
            | "pasta"
            | "podman"
            | "ingress"
            | "keep-id"
            | "auto"
            | "nomap"
    ) || other.is_some_and(|id| is_hex(id, 64..=64))
}

//! The unit that `boot` writes for systemd, where cgroups are of version 2 and the apps belong to another user than root: it can be started
//! again while instances with limits run on, however the root ended, and the limits hold again.

use crate::home::programs;
use crate::second_kernel;

/// What an administrator does. Each line that counts begins with a word of its own.
const ADMINISTRATION: &str = r#"#!/bin/sh
export HOME=/run/f DOKKU_ROOT=/run/f/home DOKKU_LIB_ROOT=/run/f/lib PATH=/run/bin:$PATH
as() { setpriv --reuid daemon --regid daemon --clear-groups "$@"; }
main() { systemctl show -p MainPID --value formation.service; }
cd /sys/fs/cgroup/system.slice
limits() { for file in memory.max memory.swap.max cpu.max pids.max cgroup.procs; do cat formation.service/formation/*-web.1@1/$file | tr '\n' ' '; done; }
# The limits are written one after the other, by the supervisor, once the root is there.
see() {
  tries=0
  until [ "$(systemctl is-active formation.service)" = active ] && [ "$(main)" != "$before" ] && [ "$(limits 2>/dev/null)" = "$held" ] || [ $tries = 300 ]; do
    sleep 0.2; tries=$((tries + 1))
  done
  echo "seen $1: $(systemctl is-active formation.service) $([ "$(main)" != "$before" ] && echo anew) $(limits)"
  before=$(main)
}
systemctl start formation.service
mkdir /run/src; cp /run/app.json /run/src; echo 'web: exec sleep 100000' >/run/src/Procfile
as ps-lifecycle deploy shop --dir /run/src
before=$(main) held=$(limits)
echo "held $held"
systemctl restart formation.service; echo "restart ended with $?"
see restart
kill -9 $(main)
see kill
systemctl stop formation.service
systemctl start formation.service; echo "start ended with $?"
see start
sync; echo o >/proc/sysrq-trigger; sleep 60
"#;

fn script() -> String {
    format!(
        r#"mount -t tmpfs log /var/log; mount -t tmpfs units /etc/systemd/system
mkdir -p /run/bin /run/f/home /run/f/lib; cp {programs}/ps-lifecycle {programs}/ps-supervise /run/bin
chown -R daemon:daemon /run/f
cat >/run/administration <<'END'
{ADMINISTRATION}END
echo '{{"formation":{{"web":{{"ready":"alive","memory_max":"32m","cpu_max":"0.5","pids_max":20}}}}}}' >/run/app.json
HOME=/run/f DOKKU_ROOT=/run/f/home DOKKU_LIB_ROOT=/run/f/lib PATH=/run/bin:$PATH \
  ps-lifecycle boot show --init systemd --user daemon | sed '1d; /^==>/,$d' >/etc/systemd/system/formation.service
cat >/etc/systemd/system/administration.service <<END
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
ExecStart=/bin/sh /run/administration
END
printf '[Unit]\nDefaultDependencies=no\nRequires=administration.service\n' >/etc/systemd/system/administration.target
exec env -i PATH=$PATH /lib/systemd/systemd --unit=administration.target --log-target=console --show-status=0
"#,
        programs = programs().display()
    )
}

#[test]
fn the_unit_starts_again_below_instances_with_limits_and_the_limits_hold_again() {
    if !std::path::Path::new("/lib/systemd/systemd").exists() {
        skipped::skip(format_args!("no systemd to be process 1 of a second kernel"));
        return;
    }
    let Some(said) = second_kernel::boot(&script()) else { return };
    let line = |start: &str| said.lines().find_map(|line| line.trim().strip_prefix(start));
    let held = line("held ").unwrap_or_else(|| panic!("the app runs: {said}")).trim();
    assert!(held.starts_with("33554432 0 50000 100000 20 "), "{held}: {said}");
    for verb in ["restart", "start"] {
        assert_eq!(line(&format!("{verb} ended with ")), Some("0"), "{said}");
    }
    for after in ["restart", "kill", "start"] {
        let expected = format!("active anew {held}");
        let seen = line(&format!("seen {after}: ")).map(str::trim);
        assert_eq!(seen, Some(&*expected), "after {after}, with the same process: {said}");
    }
}

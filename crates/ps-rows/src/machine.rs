//! The facts about the machine in pm2's web interface, as Node's module `os` returns them.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;

use serde_json::{Value, json};

/// `system_info`: the name of the machine and the seconds since it was started.
pub fn system() -> Value {
    json!({"hostname": hostname(), "uptime": first_number("/proc/uptime")})
}

/// `monit`: load, memory in bytes, CPUs and addresses.
pub fn monit() -> Value {
    json!({
        "loadavg": numbers("/proc/loadavg").into_iter().take(3).collect::<Vec<f64>>(),
        "total_mem": memory("MemTotal:"),
        "free_mem": memory("MemFree:"),
        "cpu": cpus(),
        "interfaces": interfaces(),
    })
}

fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn numbers(path: &str) -> Vec<f64> {
    text(path).split_whitespace().map_while(|word| word.parse().ok()).collect()
}

fn first_number(path: &str) -> f64 {
    numbers(path).first().copied().unwrap_or(0.0)
}

/// A line of /proc/meminfo, which is in KiB.
fn memory(name: &str) -> u64 {
    let text = text("/proc/meminfo");
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Each CPU with its times in milliseconds; /proc/stat counts them in hundredths of a second.
fn cpus() -> Vec<Value> {
    let info = text("/proc/cpuinfo");
    let stat = text("/proc/stat");
    let value = |line: &str| line.split_once(':').map(|(_, value)| value.trim().to_owned());
    let of = |name: &'static str| info.lines().filter(move |line| line.starts_with(name)).filter_map(value);
    let models: Vec<String> = of("model name").collect();
    let speeds: Vec<f64> = of("cpu MHz").filter_map(|speed| speed.parse().ok()).collect();
    let is_one = |line: &&str| line.starts_with("cpu") && !line.starts_with("cpu ");
    let cpu = |(number, line): (usize, &str)| {
        let times: Vec<u64> = line.split_whitespace().skip(1).filter_map(|time| time.parse().ok()).collect();
        let time = |place: usize| times.get(place).copied().unwrap_or(0) * 10;
        json!({
            "model": models.get(number).map_or("", String::as_str),
            "speed": speeds.get(number).map_or(0.0, |speed| speed.round()),
            "times": {"user": time(0), "nice": time(1), "sys": time(2), "idle": time(3), "irq": time(5)},
        })
    };
    stat.lines().filter(is_one).enumerate().map(cpu).collect()
}

fn interfaces() -> BTreeMap<String, Vec<Value>> {
    let mut interfaces: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for one in nix::ifaddrs::getifaddrs().into_iter().flatten() {
        let Some(address) = one.address else { continue };
        let ip: IpAddr = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(v4), _) => v4.ip().into(),
            (_, Some(v6)) => v6.ip().into(),
            (None, None) => continue,
        };
        let family = if ip.is_ipv4() { "IPv4" } else { "IPv6" };
        let shown = json!({"address": ip.to_string(), "family": family, "internal": ip.is_loopback()});
        interfaces.entry(one.interface_name).or_default().push(shown);
    }
    interfaces
}

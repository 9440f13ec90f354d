//! A Node program that insists on a port, at the address of its app: `ps-node` in the Procfile.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::asking::{Clients, ask, some_address};
use crate::home::{Home, eventually, listening};

/// The program listens at this port, whatever `PORT` is, and answers with the name of its process.
fn server(port: u16) -> String {
    format!(
        "require('http').createServer((request, response) => response.end(`${{process.pid}}`)).listen({port});"
    )
}

fn has_node() -> bool {
    let has = Command::new("node").arg("--version").output().is_ok();
    if !has {
        skipped::skip("no node on this machine");
    }
    has
}

#[test]
fn a_program_that_insists_on_a_port_is_deployed_restarted_and_scaled_without_a_failed_request() {
    let _listening = listening();
    if !has_node() {
        return;
    }
    let home = Home::as_installed();
    let address = some_address();
    let port = address.port();
    let source = home.source("shop", &format!("web: ps-node --instances 2 --bind {port}=$PORT server.js\n"));
    home.write("shop/app.json", r#"{"formation": {"web": {"stop_tree": "main"}}}"#);
    home.write("shop/server.js", &server(port));
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source];
    home.does(&[&deploy[..], &["--scale", "web=2", "--listen", &address.to_string()]].concat());
    let processes = || (0..8).map(|_| ask(address, "/").expect("an answer")).collect::<BTreeSet<String>>();
    let mut first = BTreeSet::new();
    // A process that has not taken its last connection yet is passed over.
    eventually("two instances of two processes answer", || {
        first.extend(processes());
        if first.len() == 4 { Ok(()) } else { Err(format!("{first:?}")) }
    });

    let clients = Clients::of(address);
    clients.go_on(20);
    for verb in [&["ps-lifecycle", "restart", "shop"][..], &["ps-scale", "shop", "web=3"], &deploy] {
        home.does(verb);
        clients.go_on(20);
    }
    fs::write(home.path("shop/server.js"), "process.exit(3)").expect("written");
    let refused = home.run(&deploy);
    assert_eq!(refused.status, Some(1), "{refused:?}");
    assert!(refused.stderr.contains(" has ended with status 3 before it listened"), "{refused:?}");
    clients.go_on(20);
    assert_eq!(clients.end(), [""; 0]);
    assert!(processes().is_disjoint(&first));
}

#[test]
fn an_app_of_pm2_in_cluster_mode_is_applied_with_one_port_for_all_of_its_instances() {
    let _listening = listening();
    if !has_node() {
        return;
    }
    let home = Home::as_installed();
    let address = some_address();
    let declaration = |instances: u16, depth: u16| {
        format!(
            r#"{{"apps": [{{"name": "web", "script": "server.js", "exec_mode": "cluster", "instances": {instances},
                "port": {}, "wait_ready": false, "env": {{"DEPTH": "{depth}"}}}}]}}"#,
            address.port()
        )
    };
    let file = home.write("shop/ecosystem.json", &declaration(2, 1));
    let program = "const answer = process.env.DEPTH + ' ' + process.pid;
        require('http').createServer((request, response) => response.end(answer)).listen(process.env.PORT);";
    home.write("shop/server.js", program);
    let apply = ["ps-lifecycle", "apply", file.to_str().expect("text")];
    home.does(&apply);
    let mut first = BTreeSet::new();
    eventually("both instances answer at the port", || {
        first.insert(ask(address, "/").expect("an answer"));
        if first.len() == 2 { Ok(()) } else { Err(format!("{first:?}")) }
    });
    let status = home.does(&["ps-lifecycle", "status", "shop", "--json"]);
    assert!(!status.contains("\"listen\":\""), "no address of its own: {status}");
    home.does(&apply);
    assert!(first.contains(&ask(address, "/").expect("an answer")), "nothing has changed");

    let clients = Clients::of(address);
    clients.go_on(20);
    home.write("shop/ecosystem.json", &declaration(3, 2));
    home.does(&apply);
    clients.go_on(20);
    home.does(&["ps-lifecycle", "restart", "shop"]);
    clients.go_on(20);
    assert_eq!(clients.end(), [""; 0]);
    let mut second = BTreeSet::new();
    eventually("three instances answer, with the new variable", || {
        second.insert(ask(address, "/").expect("an answer"));
        if second.len() == 3 && second.iter().all(|one| one.starts_with("2 ")) {
            Ok(())
        } else {
            Err(format!("{second:?}"))
        }
    });
}

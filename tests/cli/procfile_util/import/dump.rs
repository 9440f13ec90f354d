//! What `pm2 save` wrote: processes with all of their environment, of which only the app's own is carried over.

use serde_json::{Value, json};

use crate::{Ran, World};

/// A process of `dump.pm2`.
fn process(name: &str, path: &str, more: &Value) -> Value {
    let mut process = json!({
        "name": name, "pm_exec_path": path, "pm_cwd": "/srv/app", "exec_interpreter": "node", "exec_mode": "fork_mode",
        "args": [], "node_args": [], "status": "online", "autorestart": true, "watch": false, "namespace": "default",
        "instance_var": "NODE_APP_INSTANCE", "merge_logs": true, "vizion": true, "pmx": true, "username": "deploy",
        "pm_out_log_path": "/home/deploy/.pm2/logs/x-out.log", "pm_uptime": 1_700_000_000_000_u64, "restart_time": 3,
        "axm_monitor": {}, "unique_id": "5b2f8d4e-aaaa-bbbb-cccc-000000000000", "DATABASE_URL": "postgres://u:hunter2@db/app",
        "env": {
            "DATABASE_URL": "postgres://u:hunter2@db/app", "NODE_ENV": "production", "PORT": "3000",
            "PATH": "/home/deploy/.nvm/bin:/usr/bin", "HOME": "/home/deploy", "SSH_CLIENT": "192.0.2.1 1 2",
            "XDG_SESSION_ID": "4", "npm_config_user_agent": "npm/9", "PM2_HOME": "/home/deploy/.pm2",
            "PM2_JSON_PROCESSING": "true", "unique_id": "5b2f8d4e-aaaa-bbbb-cccc-000000000000", "api": "{}", "_": "/usr/bin/pm2"
        }
    });
    for (key, value) in more.as_object().expect("an object") {
        process[key] = value.clone();
    }
    process
}

fn import(world: &World, processes: &Value) -> Ran {
    world.put("dump.pm2", processes.to_string());
    world.run(&["import", "--from", "pm2"])
}

#[test]
fn processes_are_counted_by_name_and_start_as_they_did() {
    let world = World::new();
    let of_api = |instance: u8| {
        process(
            "api",
            "/srv/app/server.js",
            &json!({"exec_mode": "cluster_mode", "NODE_APP_INSTANCE": instance}),
        )
    };
    let ran = import(
        &world,
        &json!([
            of_api(0),
            of_api(1),
            process(
                "mail",
                "/srv/app/mail/run.py",
                &json!({"pm_cwd": "/srv/app/mail", "exec_interpreter": "python3", "args": ["--to", "a b"]})
            ),
            process(
                "web",
                "/bin/bash",
                &json!({"exec_interpreter": "none", "args": ["-c", "gunicorn app:app"]})
            ),
            process(
                "tool",
                "/srv/app/tool",
                &json!({"exec_interpreter": "none", "node_args": ["--ignored"], "max_memory_restart": 1000})
            ),
            process("npm", "/usr/bin/npm", &json!({"args": "run start", "node_args": ["--inspect"]})),
            process("old", "/srv/app/old.js", &json!({"status": "stopped"})),
            process("pm2-logrotate", "/home/deploy/.pm2/modules/x.js", &json!({"pmx_module": true})),
        ]),
    );
    assert_eq!(ran.status, 0, "{ran:?}");
    let wanted = "api: node server.js\nmail: cd mail && python3 run.py --to 'a b'\nweb: gunicorn app:app\ntool: ./tool\nnpm: node --inspect /usr/bin/npm run start\nold: node old.js\n";
    assert_eq!(world.text("Procfile").as_deref(), Some(wanted), "{ran:?}");
    assert_eq!(world.text("DOKKU_SCALE").as_deref(), Some("api=2\nmail=1\nweb=1\ntool=1\nnpm=1\nold=0\n"));
    for note in [
        "pm2-logrotate: left out",
        "old: an instance that was stopped",
        "tool: no place in a Procfile for max_memory_restart",
        "api: exec_mode cluster",
    ] {
        assert!(ran.stderr.contains(note), "{note} in {ran:?}");
    }
    assert_eq!(ran.stderr.matches("exec_mode cluster").count(), 1, "{ran:?}");
}

#[test]
fn the_variables_are_those_of_the_app_and_no_value_is_said() {
    let world = World::new();
    let ran = import(&world, &json!([process("api", "/srv/app/server.js", &json!({}))]));
    assert_eq!(
        world.text(".env").as_deref(),
        Some("DATABASE_URL=postgres://u:hunter2@db/app\nNODE_ENV=production\n")
    );
    for value in ["hunter2", "192.0.2.1", "5b2f8d4e", "/home/deploy"] {
        assert!(!ran.stderr.contains(value) && !ran.text().contains(value), "{value} in {ran:?}");
    }
    let said = "variables of the session in which pm2 ran: HOME, PATH, SSH_CLIENT, XDG_SESSION_ID, _, npm_config_user_agent\n";
    assert!(ran.stderr.contains(said) && ran.stderr.contains("variable PORT is left out"), "{ran:?}");
}

#[test]
fn a_list_that_pm2_printed_is_read_too_and_other_commands_of_one_name_stay() {
    let world = World::new();
    let entry = |path: &str| json!({"pid": 1, "name": "api", "pm_id": 0, "monit": {"memory": 1}, "pm2_env": process("api", path, &json!({"instances": 1}))});
    let ran =
        import(&world, &json!([entry("/srv/app/a.js"), entry("/srv/app/a.js"), entry("/srv/app/b.js")]));
    assert_eq!(world.text("Procfile").as_deref(), Some("api: node a.js\napi-2: node b.js\n"), "{ran:?}");
    assert_eq!(world.text("DOKKU_SCALE").as_deref(), Some("api=2\napi-2=1\n"));
}

#[test]
fn the_oldest_form_is_read_and_an_empty_list_is_no_app() {
    let world = World::new();
    let old = json!([{
        "name": "app", "exec_interpreter": "node", "exec_mode": "cluster_mode", "pm_exec_path": "/srv/a/app.js",
        "args": "[\"-x\"]", "env": {"HOME": "/root", "pm_cwd": "/srv/a", "KEY": "v"}, "status": "online"
    }]);
    let ran = import(&world, &old);
    assert_eq!(world.text("Procfile").as_deref(), Some("app: node app.js -x\n"), "{ran:?}");
    assert_eq!(world.text(".env").as_deref(), Some("KEY=v\n"));
    let ran = import(&World::new(), &json!([]));
    assert!(ran.status == 1 && ran.stderr.contains("no process that a Procfile can hold"), "{ran:?}");
}

#[test]
fn a_file_of_a_usual_name_needs_no_from() {
    let world = World::new();
    world.put("dump.pm2", json!([process("api", "/srv/app/server.js", &json!({}))]).to_string());
    world.put("compose.yaml", super::COMPOSE);
    world.put("app-web.service", "[Service]\nExecStart=/bin/true\n");
    for (file, wanted) in [
        ("dump.pm2", "api: node server.js\n"),
        ("./compose.yaml", "web: bin/web\n"),
        ("app-web.service", "app-web: /bin/true\n"),
    ] {
        assert_eq!(world.run(&["import", file, "--stdout"]).text(), wanted);
    }
    let ran = world.run(&["import", "-", "--stdout"]);
    assert!(ran.status == 1 && ran.stderr.contains("--from is required"), "{ran:?}");
}

#!/usr/bin/env bats
# Native apps behind a real nginx. A plugin of the test's own writes configurations as Dokku's does: the addresses of an app's
# listeners, joined with the ports of its port map.

load world

setup_file() {
  find_programs
  local unpacked=${FORMATION_SETUP_STATE:-${XDG_STATE_HOME:-/var/lib}/formation-setup}/consumers/usr/sbin/nginx
  # Not NGINX: nginx itself reads that one, as a list of sockets.
  NGINX_PROGRAM=$(PATH=$PATH:/usr/sbin command -v nginx || { [[ ! -x $unpacked ]] || echo "$unpacked"; })
  export NGINX_PROGRAM
}

setup() {
  [[ $NGINX_PROGRAM ]] || skip "no nginx: scripts/setup unpacks one, for root"
  make_native_world
  export DOKKU_PID=100
  mkdir -p "$PLUGIN_PATH/enabled/nginx-vhosts/templates" "$BATS_TEST_TMPDIR/nginx/logs"
  # shellcheck disable=SC2016  # The hooks' own variables.
  hook core-post-deploy 'plugn trigger proxy-build-config "$1"'
  # shellcheck disable=SC2016
  hook ports-get 'cat "$DOKKU_LIB_ROOT/config/ports/$1/map"'
  hook proxy-is-enabled 'echo true'
  # shellcheck disable=SC2016
  hook proxy-type 'cat "$DOKKU_LIB_ROOT/config/proxy/$1/type" 2>/dev/null || echo nginx'
  hook proxy-build-config "$(declare -f build_config); build_config \"\$1\""
  NGINX_CONF=$BATS_TEST_TMPDIR/nginx/nginx.conf
  export NGINX_CONF
  start_nginx
}

teardown() {
  [[ $NGINX_PROGRAM ]] || return 0
  local app
  for app in "$DOKKU_ROOT"/*; do plugn trigger scheduler-post-delete native "${app##*/}" latest >/dev/null; done
  [[ ! -s $BATS_TEST_TMPDIR/nginx/pid ]] || "$NGINX_PROGRAM" -p "$BATS_TEST_TMPDIR/nginx" -c "$NGINX_CONF" -s quit
  [[ -z ${CONTAINER:-} ]] || kill "$CONTAINER"
}

hook() { hook_of nginx-vhosts "$@"; }

# As Dokku's nginx plugin makes one: the address of each listener, and the ports of the port map.
build_config() {
  local app=$1 map port file conf
  conf=$DOKKU_ROOT/$app/nginx.conf
  compgen -G "$DOKKU_ROOT/$app/IP.web.*" >/dev/null || { rm -f "$conf"; return; }
  {
    while read -r map; do
      port=${map##*:}
      echo "server { listen 127.0.0.1:$(cut -d : -f 2 <<<"$map"); server_name $app.test; location / { proxy_pass http://$app-$port; } }"
    done < <(plugn trigger ports-get "$app")
    for port in $(plugn trigger ports-get "$app" | sed 's/.*://' | sort -u); do
      echo "upstream $app-$port {"
      for file in "$DOKKU_ROOT/$app"/IP.web.*; do echo "  server $(<"$file"):$port;"; done
      echo "}"
    done
  } >"$conf.new"
  mv "$conf.new" "$conf"
  plugn trigger nginx-pre-reload "$app" "" ""
  "$NGINX_PROGRAM" -p "${NGINX_CONF%/*}" -c "$NGINX_CONF" -s reload 2>/dev/null
}

# On a port that is free.
start_nginx() {
  local try
  for try in 1 2 3 4 5; do
    PUBLIC=$((18000 + (RANDOM + try) % 2000))
    cat >"$NGINX_CONF" <<END
pid pid; error_log logs/error.log; worker_processes 1;
events { worker_connections 64; }
http {
  access_log off; server_names_hash_bucket_size 512;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server { listen 127.0.0.1:$PUBLIC default_server; return 404; }
  include $DOKKU_ROOT/*/nginx.conf;
}
END
    ! "$NGINX_PROGRAM" -p "$BATS_TEST_TMPDIR/nginx" -c "$NGINX_CONF" 2>/dev/null 3>&- || return 0
  done
  cat "$BATS_TEST_TMPDIR/nginx/logs/error.log"
  false
}

# app, number of web processes, port map
native_app() {
  mkdir -p "$DOKKU_ROOT/$1" "$BATS_TEST_TMPDIR/tree"
  put "config/scheduler/$1/selected" native
  put "config/ps/$1/scale" "web=$2"$'\n'
  put "config/ps/$1/stop-timeout-seconds" 2
  put "config/ports/$1/map" "${3:-http:$PUBLIC:5000}"$'\n'
  DOKKU_PID=$((DOKKU_PID + 1))
  # shellcheck disable=SC2016  # The app's own.
  echo 'web: faultapp --listen $PORT' >"$BATS_TEST_TMPDIR/tree/Procfile"
  plugn trigger core-post-extract "$1" "$BATS_TEST_TMPDIR/tree" first
  plugn trigger post-extract "$1" "$BATS_TEST_TMPDIR/tree" first
  plugn trigger post-release-builder dockerfile "$1" "dokku/$1:latest"
  run timeout 60 plugn trigger scheduler-deploy native "$1" latest ""
  [[ $status == 0 ]] || { echo "$output"; false; }
}

# An app of docker-local, whose container has an address of its own.
container_app() {
  mkdir -p "$DOKKU_ROOT/$1" "$BATS_TEST_TMPDIR/www"
  put "config/scheduler/$1/selected" docker-local
  put "config/ports/$1/map" "http:$PUBLIC:5000"$'\n'
  echo container >"$BATS_TEST_TMPDIR/www/pid"
  busybox httpd -f -p 127.0.0.77:5000 -h "$BATS_TEST_TMPDIR/www" 3>&- &
  CONTAINER=$!
  echo id >"$DOKKU_ROOT/$1/CONTAINER.web.1"
  echo 127.0.0.77 >"$DOKKU_ROOT/$1/IP.web.1"
  echo 5000 >"$DOKKU_ROOT/$1/PORT.web.1"
  plugn trigger proxy-build-config "$1"
}

# Who answers for a domain, each once, in order: the pids of the app's processes.
answering() {
  local port=${2:-$PUBLIC}
  for _ in 1 2 3 4 5 6 7 8 9; do curl -s --max-time 5 -H "Host: $1.test" "http://127.0.0.1:$port/pid"; echo; done | sed '/^$/d' | sort -u | tr '\n' ' '
}

pids() { ps-lifecycle status "$1" --json | jq -r 'select(.process_type == "web" and .pid != null) | .pid' | sort -u | tr '\n' ' '; }

# nginx's new workers take over in a moment.
shows() {
  local until=$((SECONDS + 10))
  while [[ $(answering "$1" "${3:-}") != "$2" ]]; do
    ((SECONDS < until)) || { echo "$1: $(answering "$1" "${3:-}") instead of $2"; cat "$DOKKU_ROOT/$1/nginx.conf"; return 1; }
    sleep 0.1
  done
}

@test "each domain shows its own app, natively at 1 and 3, beside a container" {
  native_app one 1
  native_app two 3
  container_app box
  [[ $(pids two | wc -w) == 3 ]]
  shows one "$(pids one)"
  shows two "$(pids two)"
  shows box "container "
  DOKKU_PID=200 "$PLUGIN_PATH/enabled/ps/subcommands/scale" ps:scale one web=3
  DOKKU_PID=201 "$PLUGIN_PATH/enabled/ps/subcommands/scale" ps:scale two web=1
  [[ $(pids one | wc -w) == 3 && $(pids two | wc -w) == 1 ]]
  shows one "$(pids one)"
  shows two "$(pids two)"
  DOKKU_PID=202 "$PLUGIN_PATH/enabled/ps/subcommands/restart" ps:restart one
  shows one "$(pids one)"
  shows box "container "
}

@test "any port map leads to the processes, whatever port it calls the app's own" {
  local second=$((PUBLIC + 2000))
  native_app one 2 "http:$PUBLIC:3000"$'\n'"http:$second:8080"
  shows one "$(pids one)"
  shows one "$(pids one)" "$second"
  # One that happens to be the port of the first process.
  put config/ports/one/map "http:$PUBLIC:$(<"$DOKKU_ROOT/one/PORT.web.1")"$'\n'
  plugn trigger proxy-build-config one
  shows one "$(pids one)"
  [[ $(grep -c 'server 127' "$DOKKU_ROOT/one/nginx.conf") == 2 ]]
}

@test "what an app's own template made is corrected, and what is not ours is left alone, to the byte" {
  native_app one 2
  local ports conf=$DOKKU_ROOT/one/nginx.conf
  ports=("$(<"$DOKKU_ROOT/one/PORT.web.1")" "$(<"$DOKKU_ROOT/one/PORT.web.2")")
  printf 'upstream mine { least_conn; server 127.0.0.1:5000 max_fails=9; server 127.0.0.1:5000 max_fails=9; server 127.0.0.1:9999 backup; }\n' >"$conf"
  chmod 600 "$conf"
  plugn trigger nginx-pre-reload one "" ""
  [[ $(tr '\n' ' ' <"$conf") == "upstream mine { least_conn; server 127.0.0.1:${ports[0]} max_fails=9;   server 127.0.0.1:${ports[1]} max_fails=9;  server 127.0.0.1:9999 backup; } " ]] || { cat "$conf"; false; }
  [[ $(stat -c %a "$conf") == 600 ]]
  local before
  before=$(stat -c '%i %Y' "$conf"; cat "$conf")
  plugn trigger nginx-pre-reload one "" ""
  [[ $(stat -c '%i %Y' "$conf"; cat "$conf") == "$before" ]]
  container_app box
  before=$(stat -c '%i %Y' "$DOKKU_ROOT/box/nginx.conf"; cat "$DOKKU_ROOT/box/nginx.conf")
  plugn trigger nginx-pre-reload box "" ""
  [[ $(stat -c '%i %Y' "$DOKKU_ROOT/box/nginx.conf"; cat "$DOKKU_ROOT/box/nginx.conf") == "$before" ]]
  put config/network/one/static-web-listener 127.0.0.1:5000
  printf 'upstream one-5000 { server 127.0.0.1:5000; server 127.0.0.1:5000; }\n' >"$conf"
  plugn trigger nginx-pre-reload one "" ""
  [[ $(<"$conf") == "upstream one-5000 { server 127.0.0.1:5000; server 127.0.0.1:5000; }" ]]
}

@test "a native app's configuration is made from a template of its own, unless somebody else has one" {
  local templates=$PLUGIN_PATH/enabled/nginx-vhosts/templates
  # shellcheck disable=SC2016  # A template's own.
  printf 'listen 80 http2;\n  server {{ $listener_ip }}:{{ $upstream_port }};\n' >"$templates/nginx.conf.sigil"
  native_app one 1
  local template
  template=$(plugn trigger nginx-app-template-source one app-config)
  # shellcheck disable=SC2016
  [[ $(<"$template") == $'listen 80 {{ "http2" }};\n  server {{ $listeners }};' ]]
  [[ -z $(plugn trigger nginx-app-template-source one hsts-config; plugn trigger nginx-app-template-source one validate-config) ]]
  container_app box
  [[ -z $(plugn trigger nginx-app-template-source box app-config) ]]
  hook nginx-app-template-source 'echo /theirs'
  [[ $(plugn trigger nginx-app-template-source one app-config) == /theirs ]]
  rm "$PLUGIN_PATH/enabled/nginx-vhosts/nginx-app-template-source"
  echo 'another way' >"$templates/nginx.conf.sigil"
  [[ -z $(plugn trigger nginx-app-template-source one app-config) ]]
}

@test "a proxy that looks for containers is named by the deploy" {
  local proxy
  for proxy in caddy haproxy openresty traefik; do
    put config/proxy/one/type "$proxy"
    native_app one 1
    [[ $output == *"App one runs natively, and its proxy $proxy finds containers only"*"dokku proxy:set one type nginx"* ]] || { echo "$output"; false; }
  done
  put config/proxy/one/type nginx
  native_app one 1
  [[ $output != *"containers only"* ]]
  put config/proxy/one/type caddy
  native_app one 0
  [[ $output != *"containers only"* ]]
}

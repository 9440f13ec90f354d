pid() {
  if [ -r "$pid_file" ]; then
    head -n 1 "$pid_file"
  fi
}

is_running() {
  running=$(pid)
  [ -n "$running" ] && kill -0 "$running" 2>/dev/null
}

# Runs a script as the user of the app, behind the words that follow it. Its variables are given their names by a shell
# of that user, so that nothing that runs as another obeys them.
launch() {
  script=$1
  shift
  if [ "$(id -un)" != "$user" ]; then
    set -- "$@" setpriv --reuid="$user" --regid="$group" --init-groups --
  fi
  [ -r "$default" ] || default=/dev/null
  [ -r "$sysconfig" ] || sysconfig=/dev/null
  set_environment
  exec "$@" /bin/sh -c "$loader" "$script" 4<"$default" 5<"$sysconfig"
}

start() {
  if is_running; then
    echo "$name is already running"
    return 0
  fi
  cd "$directory" || return 1
  mkdir -p "$run_directory" || return 1
  (prestart) || return 1
  (
    set_limits || exit 1
    exec >>"$stdout_log" 2>>"$stderr_log" </dev/null || exit 1
    run
  ) &
  echo "$!" >"$pid_file"
  echo "$name started"
}

stop() {
  if ! is_running; then
    echo "$name is not running"
    rm -f "$pid_file"
    return 0
  fi
  stopping=$(pid)
  if [ "$stop_session" = yes ]; then
    kill -s TERM -- "-$stopping" 2>/dev/null
  else
    kill -s TERM "$stopping" 2>/dev/null
  fi
  waited=0
  while kill -0 "$stopping" 2>/dev/null && [ "$waited" -lt "$stop_timeout" ]; do
    sleep 1
    waited=$((waited + 1))
  done
  kill -s KILL -- "-$stopping" 2>/dev/null
  waited=0
  while kill -0 "$stopping" 2>/dev/null; do
    if [ "$waited" -ge 5 ]; then
      echo "$name cannot be stopped" >&2
      return 1
    fi
    sleep 1
    waited=$((waited + 1))
  done
  rm -f "$pid_file"
  echo "$name stopped"
}

status() {
  if is_running; then
    echo "$name is running"
    return 0
  fi
  if [ -e "$pid_file" ]; then
    echo "$name is not running, but its pid file is there"
    return 1
  fi
  echo "$name is not running"
  return 3
}

case "$1" in
  start) start ;;
  stop) stop ;;
  restart | force-reload) stop && start ;;
  status) status ;;
  *)
    echo "Usage: $0 {start|stop|restart|force-reload|status}" >&2
    exit 2
    ;;
esac

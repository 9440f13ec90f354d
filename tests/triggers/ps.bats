#!/usr/bin/env bats
# The ps plugin's hooks, run one by one as plugn and Dokku's front-end run them, with the real programs, in a
# temporary world: against what a real Dokku's hooks answered, where that recording is present.

load world

setup_file() {
  find_programs
  RECORDED=$REPO/../shared/contracts/dokku-recorded/hooks.jsonl
  export RECORDED
  local program
  for program in ps-scale ps-set ps-report ps-lifecycle procfile-util ps-inspect-sanitize; do
    [[ -x $FORMATION_BIN/$program ]] || { echo "$FORMATION_BIN/$program is not built: cargo build --workspace" >&2; return 1; }
  done
}

setup() {
  make_world
  mkdir "$DOKKU_ROOT"/{demo,idle}
  put data/ps/demo/Procfile $'# the sample\nweb: python3 -m http.server $PORT\nworker: sleep 100000\nrelease: echo releasing\n'
  put config/common/demo/deployed true
  put config/ps/demo/can-scale true
  put config/ps/demo/restore true
  put config/ps/demo/scale $'web=1\nrelease=0\nworker=0\n'
  put config/ps/demo/scale.old ""
  put config/ps/idle/scale $'web=1\n'
}

# Runs a hook; its answer lies in $out and $err (files, so that every byte counts) and $status.
hook() {
  out=$BATS_TEST_TMPDIR/out err=$BATS_TEST_TMPDIR/err status=0
  timeout 30 "$PLUGIN/$1" "${@:2}" >"$out" 2>"$err" </dev/null || status=$?
}

# Asserts status and stdout, to the byte.
answers() {
  [[ $status == "$1" ]] || { echo "status $status, not $1: $(<"$err")" >&2; return 1; }
  printf '%s' "$2" | diff -u - "$out" >&2
}

# Every property and datum of ps, as <path> <mode> <content in JSON>, sorted.
state() {
  (cd "$DOKKU_LIB_ROOT" && find config/ps data/ps -name .stage -prune -o -type f -print | sort | while read -r file; do
    printf '%s %s %s\n' "$file" "$(stat -c %a "$file")" "$(jq -Rs . <"$file")"
  done)
}

# Compares one recorded case; says what differs. The names of files are those below $DOKKU_LIB_ROOT.
matches() {
  local case=$1 expected=$BATS_TEST_TMPDIR/expected before after
  local -a words
  mapfile -t words < <(jq -r '.argv[]' <<<"$case")
  before=$(state)
  hook "${words[@]}"
  after=$(state)
  [[ $status == "$(jq -r .exit <<<"$case")" ]] || { echo "$2: status $status: $(<"$err")"; return 1; }
  jq -j .stdout <<<"$case" >"$expected"
  diff -u "$expected" "$out" || { echo "$2: stdout differs"; return 1; }
  if [[ ${3:-} != stderr-differs ]]; then
    jq -j .stderr <<<"$case" >"$expected"
    diff -u "$expected" "$err" || { echo "$2: stderr differs"; return 1; }
  fi
  jq -r '.files_changed | to_entries[] | select(.value) | "\(.key | ltrimstr("$DOKKU_LIB_ROOT/")) \(.value[0]) \(.value[1] | tojson)"' \
    <<<"$case" | sort >"$expected"
  comm -13 <(echo "$before") <(echo "$after") | diff -u "$expected" - || { echo "$2: other files changed"; return 1; }
}

@test "every recorded hook is answered as Dokku's was" {
  [[ -r $RECORDED ]] || skip "what a real Dokku answered is not here: $RECORDED"
  local case name compared=0 failed=0
  while read -r case; do
    name=$(jq -r .name <<<"$case")
    case $name in
      # These hooks come with deploys inside Dokku.
      docker-args* | extract-* | core-post-deploy | current-scale-after) continue ;;
      # Its row about a container needs an engine; tests/cli/ps_report/instances.rs has it.
      report) continue ;;
      # The same answer, without a failure quoted in a failure.
      procfile-get-command-none) matches "$case" "$name" stderr-differs || failed=$((failed + 1)) ;;
      *) matches "$case" "$name" || failed=$((failed + 1)) ;;
    esac
    compared=$((compared + 1))
  done <"$RECORDED"
  echo "$compared compared, $failed differ"
  [[ $failed == 0 && $compared -ge 25 ]]
}

@test "help is the same for ps, ps:help and an old ps <app>, and other commands are not ours" {
  hook commands ps:help
  [[ $status == 0 && $(head -n 1 "$out") == "Usage: dokku ps[:COMMAND]" ]]
  cp "$out" "$BATS_TEST_TMPDIR/help"
  hook commands ps demo
  cmp "$out" "$BATS_TEST_TMPDIR/help"
  DOKKU_HELP=1 hook commands help
  answers 0 $'\n    ps, Manage app processes\n'
  # Whoever calls it with --all among the words wants every command.
  local listed=$BATS_TEST_TMPDIR/listed
  bash -c '"$0/commands" help; true' "$PLUGIN" --all >"$listed"
  [[ $(grep -c '^    ps:[a-z]* .*, [A-Z]' "$listed") == 9 && $(grep -c . "$listed") == 9 ]]
  hook commands apps:list
  answers 10 ""
  DOKKU_NOT_IMPLEMENTED_EXIT=11 hook commands ps:nope
  answers 11 ""
}

@test "a formation travels through set, current and print" {
  hook ps-set-scale demo true false web=2 worker=1
  answers 0 ""
  hook ps-current-scale demo
  answers 0 $'release=0\nweb=2\nworker=1'
  hook subcommands/scale ps:scale demo
  answers 0 $'-----> Scaling for demo\nproctype: qty\n--------: ---\nrelease: 0\nweb:  2\nworker: 1\n'
}

@test "a refused formation changes nothing" {
  local before
  before=$(state)
  hook ps-set-scale demo true false nope=1
  answers 1 ""
  [[ $(<"$err") == " !     nope is not a valid process name to scale up" && $(state) == "$before" ]]
}

@test "can-scale is stored as true or false and refuses scaling by hand" {
  hook ps-can-scale demo no
  answers 0 ""
  [[ $(<"$DOKKU_LIB_ROOT/config/ps/demo/can-scale") == false ]]
  hook subcommands/scale ps:scale demo web=2
  answers 1 ""
  grep -q "demo contains an app.json" "$err"
}

@test "four properties can be asked for, and others are refused" {
  put config/ps/--global/restart-policy always
  hook ps-get-property demo restart-policy
  answers 0 $'always\n'
  hook ps-get-property idle stop-timeout-seconds
  answers 0 $'30\n'
  hook ps-get-property demo scale
  answers 1 ""
  [[ $(<"$err") == " !     Invalid ps property specified: scale" ]]
}

@test "the Procfile being deployed comes before the deployed one" {
  hook procfile-exists demo
  answers 0 ""
  hook procfile-get-command demo web 80
  answers 0 $'python3 -m http.server 80\n'
  put data/ps/demo/Procfile.4242 $'web: new $PORT\n'
  hook procfile-get-command demo web
  answers 0 $'new 5000\n'
  put data/ps/demo/Procfile.4242.missing ""
  hook procfile-exists demo
  answers 1 ""
  hook procfile-get-command demo web
  answers 0 ""
}

@test "a command is expanded with the app's environment over that of all apps" {
  put data/ps/demo/Procfile $'web: run $A $B $PORT $NONE.\n'
  put config/--global/ENV $'A="global"\nB="global"\n'
  put config/demo/ENV $'B="its own"\n'
  hook procfile-get-command demo web 5000
  answers 0 $'run global its own 5000 .\n'
  put config/demo/ENV $'PORT="9"\n'
  hook procfile-get-command demo web 5000
  answers 0 $'run global global 9 .\n'
  put data/ps/demo/Procfile $'web: $NONE run $NONE\n'
  hook procfile-get-command demo web 5000
  answers 0 $'run\n'
}

@test "a port that is none is the default one" {
  put data/ps/demo/Procfile $'web: run $PORT\n'
  local port
  for port in "" abc 80/udp; do
    hook procfile-get-command demo web "$port"
    answers 0 $'run 5000\n'
  done
}

@test "the report hook is asked for one app" {
  hook report
  answers 1 ""
  [[ $(<"$err") == " !     Please specify an app to run the command on" ]]
}

@test "an app is born with web=1 and leaves nothing behind" {
  hook post-create fresh
  answers 0 ""
  [[ $(<"$DOKKU_LIB_ROOT/config/ps/fresh/scale") == web=1 && -d $DOKKU_LIB_ROOT/data/ps/fresh ]]
  hook post-delete fresh latest
  answers 0 ""
  [[ ! -e $DOKKU_LIB_ROOT/config/ps/fresh && ! -e $DOKKU_LIB_ROOT/data/ps/fresh ]]
}

@test "report is ps-report's, also as a subcommand" {
  hook report idle
  [[ $status == 0 && $(head -n 1 "$out") == "=====> idle ps information" ]]
  hook subcommands/report ps:report idle --restore
  answers 0 $'true\n'
  hook subcommands/report ps:report nope
  answers 20 ""
  [[ $(<"$err") == " !     App nope does not exist" ]]
}

@test "set changes a property in Dokku's words" {
  hook subcommands/set ps:set demo restart-policy on-failure:20
  answers 0 $'=====> Setting restart-policy to on-failure:20\n'
  [[ $(<"$DOKKU_LIB_ROOT/config/ps/demo/restart-policy") == on-failure:20 ]]
}

@test "inspect of an app that does not exist is Dokku's refusal" {
  hook subcommands/inspect ps:inspect nope
  answers 20 ""
  [[ $(<"$err") == " !     App nope does not exist" ]]
}

@test "the help of inspect is no JSON and reaches the reader all the same" {
  hook subcommands/inspect ps:inspect --help
  [[ $status == 0 && ! -s $err ]]
  grep -q '^Usage: ps-lifecycle inspect' "$out"
  hook subcommands/inspect ps:inspect demo --help
  [[ $status == 0 && ! -s $err ]]
}

@test "old spellings work, with a hint on stderr" {
  hook subcommands/set-restart-policy ps:set-restart-policy demo always
  [[ $status == 0 && $(<"$DOKKU_LIB_ROOT/config/ps/demo/restart-policy") == always ]]
  answers 0 $'-----> Setting restart policy: always\n'
  grep -q "old spelling: use ps:set" "$err"
  hook subcommands/restart-policy ps:restart-policy demo
  answers 0 $'=====> demo restart-policy:\nalways\n'
  export DOKKU_QUIET_OUTPUT=1
  hook subcommands/set-restart-policy ps:set-restart-policy demo no
  answers 0 ""
  hook subcommands/restart-policy ps:restart-policy demo
  answers 0 $'no\n'
  hook subcommands/set-restart-policy ps:set-restart-policy demo sometimes
  answers 1 ""
  hook subcommands/restart-policy ps:restart-policy nope
  answers 20 ""
}

@test "the plugin's own bin comes before PATH" {
  rm "$PLUGIN"
  cp -R "$REPO/triggers/ps" "$PLUGIN"
  mkdir "$PLUGIN/bin"
  printf '#!/bin/sh\necho own "$@"\n' >"$PLUGIN/bin/ps-report"
  chmod +x "$PLUGIN/bin/ps-report"
  hook report demo
  answers 0 $'own demo\n'
  hook subcommands/report ps:report demo --running
  answers 0 $'own demo --running\n'
}

@test "every hook is executable, names its arguments, and every subcommand of the help is there" {
  local file name
  for file in "$REPO"/triggers/ps/*; do
    [[ -f $file && ${file##*/} != plugin.toml ]] || continue
    [[ -x $file ]] || { echo "$file is not executable" >&2; return 1; }
    [[ $(sed -n 2p "$file") == "# "* ]] || { echo "$file does not say what it does" >&2; return 1; }
  done
  while read -r name; do
    [[ -x $REPO/triggers/ps/subcommands/${name#ps:} ]] || { echo "$name is not there" >&2; return 1; }
  done < <(grep -o 'ps:[a-z]*' "$REPO/triggers/ps/help/ps")
}

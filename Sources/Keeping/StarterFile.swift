import Descriptors

/// What `init` writes.
struct StarterFile {
  /// In the repository; `nil`: its top.
  var folder: FileName?
  var name: FileName
  var text: String

  var path: String { folder.map { "\($0)/\(name)" } ?? "\(name)" }

  static let all = [
    StarterFile(name: ".gitattributes", text: attributes),
    StarterFile(name: "README.md", text: readme),
    StarterFile(name: "onionkeeper.yaml", text: repository),
    StarterFile(folder: "hosts", name: "web-1.yaml", text: host),
    StarterFile(folder: "services", name: "example.yaml", text: definition),
  ]

  private static let attributes = """
    *.yaml text eol=lf
    secrets/* -text -diff

    """

  private static let repository = """
    # Marks this folder as a repository of onion service definitions; without it a revision is refused.
    version: 1

    # What every definition starts from. Who may reach a service is never a default: it stands in its own file.
    defaults:
      container:
        memory: 256MiB
        cpus: 1.0
        pids: 64

    """

  private static let definition = """
    # One onion service; its name is the file's. All fields: `onionkeeper schema --markdown`.
    hosts: [web-1]              # whose host file says `host: web-1`
    key: generate               # made once, on that host; then pin it: `onionkeeper status --pins` prints the line
    # address: <56 characters>.onion
    access: public              # or clients, and who they are:
    # clients:
    #   - {name: alice, key: "descriptor:x25519:<52 characters>"}
    ports:
      - virtual: 80             # what visitors dial
        target: host:8080       # port 8080 of the host, as the container reaches it; 127.0.0.1 is the container itself
    paused: true                # nothing is started while this stands: remove it when the rest is as you want it

    """

  static let host = """
    # The host file of web-1. On the machine it is /etc/onionkeeper/host.yaml, root's and writable by nobody else.
    # It is what the machine's owner decides, and no repository can widen it: no agent reads a copy in a repository,
    # which is there for `onionkeeper check . --host hosts` alone.
    host: web-1
    labels: {region: eu}

    repository:
      url: https://git.example/onions.git      # or ssh://git@git.example/onions.git with credentials: {sshKey, knownHosts}
      branch: main
      trust:
        signers: /etc/onionkeeper/allowed_signers   # ssh-keygen's format: the newest commit must be signed by one of them
        # or `transport: true`: whoever may push is trusted, said out loud

    interval: 60s                 # between passes; drift is seen at once
    engine: {socket: auto}        # /run/docker.sock or /run/podman/podman.sock; pinned by `onionkeeper setup`
    directories:
      keys: /var/lib/onionkeeper/keys
      state: /var/lib/onionkeeper/state
    image: {base: "bootstrap:bookworm"}   # built on this host by mmdebstrap, no registry needed

    allow:
      targets: [host]             # where services may lead; also 192.0.2.0/24, "unix:/run/onion-targets/*/*", "container:web-*"

    # webhooks:
    #   - {url: https://hooks.example/onionkeeper, secretFile: /etc/onionkeeper/webhook-secret, events: ["*"]}

    """

  private static let readme = """
    # Onion services

    What is in `services/` runs as Tor onion services on the hosts that it names, kept by Onionkeeper. One file is one
    service. `hosts/` holds copies of the host files, for `check` alone.

    ## First steps

    1. Edit `services/example.yaml` (and its name), remove its last line, and check:

           onionkeeper check . --host hosts

    2. Commit signed by SSH, and push:

           git init -b main && git config gpg.format ssh && git config user.signingKey ~/.ssh/id_ed25519.pub
           git add --all && git commit -S -m 'Define the first service'

    3. On each host, as root: put its host file to `/etc/onionkeeper/host.yaml` and edit `url`; write who may sign:

           install -d -m 755 /etc/onionkeeper
           install -m 600 web-1.yaml /etc/onionkeeper/host.yaml
           echo "$(git config user.email) namespaces=\\"git\\" $(cat ~/.ssh/id_ed25519.pub)" >/etc/onionkeeper/allowed_signers
           onionkeeper check --host /etc/onionkeeper/host.yaml

    4. Then:

           onionkeeper setup           # makes the key and state folders, pins the engine
           onionkeeper plan            # what would be done
           onionkeeper run

    5. Commit the line that `onionkeeper status --pins` prints: no other key is ever accepted for that service.

    ## In this repository's own CI

    No root, network or engine is needed. `--format github` prints annotations, which several forges show at the line:

        onionkeeper check . --host hosts --format github

    ## In an editor

    `onionkeeper schema >definition.schema.json`, and as the first line of each definition:

        # yaml-language-server: $schema=../definition.schema.json

    """
}

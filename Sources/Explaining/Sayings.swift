/// What tor and its surroundings write, and what it is about (facts: tor.md §3; texts of tor 0.4.9.11 and of those before it).
struct Saying: Sendable {
  enum Topic: String, Sendable {
    // directories
    case unreadable, owner, group, mode, create, notDirectory, chmod, controlFolder, dataDirectory
    case missing
    // configuration
    case unknownOption, authorizeClient, incompatible, obsolete, version2, strayOption, range
    case targetName, port, portSyntax, noPorts, duplicateDirectory, burst, module, singleHop, choice
    case torrcUnreadable, include, listenerSyntax, refused, relative
    // user, data
    case unknownUser, userNotRoot, userChange, runningAsRoot, locked, lockFile, logFile
    // files and keys
    case fileUnreadable, fileUnwritable, keyMissing, keyMismatch, publicRegenerated, keysUnsaved
    case sameKeyTwice, keyRejected, guardRefused
    // client authorization
    case clientIgnored, clientDuplicate, clientSideIgnored
    // the rest
    case bind, sandbox, clock, bootstrap, target, transport, onionBalance, step, killedBySystemCall
    case outOfMemory, diskFull, unitPath, sandboxInclude, socketFamily, connectionLimit
    case circuitLimit, needsClientKey, stateFile
    // tor runs, and warns
    case controlOpen, noGuards, pinnedGuards, notAnonymous
    /// Follows from the line before it that says more.
    case consequence
    /// Known, and no trouble.
    case harmless
  }

  var topic: Topic
  var pattern: Pattern
  /// Whose capture tells one trouble from another of the same topic.
  var subject: String?

  init(_ topic: Topic, _ pattern: String, _ subject: String? = nil) {
    self.topic = topic
    self.pattern = Pattern(pattern)
    self.subject = subject
  }

  /// The first that matches counts.
  static let all: [Saying] =
    directories + configuration + files + clients + running + warnings + followUps

  /// Those that tor may write as a mere notice, which most lines are.
  static let noticed = all.filter {
    $0.topic == .clock || $0.topic == .publicRegenerated || $0.topic == .obsolete
      || $0.topic == .needsClientKey
  }

  private static let directories: [Saying] = [
    Saying(.unreadable, "Directory {path} cannot be read: {reason}", "path"),
    Saying(
      .owner, "{path} is not owned by this user ({user}, {uid}) but by {owner} ({ownerID})", "path"),
    Saying(
      .group,
      "{path} is not owned by this group ({user}, {uid}) but by group {owner} ({ownerID})", "path"),
    Saying(.mode, "Permissions on directory {path} are too permissive", "path"),
    Saying(.create, "Error creating directory {path}: {reason}", "path"),
    Saying(.chmod, "Could not chmod directory {path}: {reason}", "path"),
    Saying(.unreadable, "Error reading directory '{path}': {reason}", "path"),
    Saying(.missing, "Directory {path} does not exist", "path"),
    Saying(
      .controlFolder,
      "Before Tor can create a {what} in {place}, the directory {path} needs to exist", "path"),
  ]

  private static let configuration: [Saying] = [
    Saying(.unknownOption, "Unknown option '{option}'", "option"),
    Saying(
      .incompatible,
      "Hidden service option {option} is incompatible with version {version} of service in {path}",
      "path"),
    Saying(.obsolete, "Skipping obsolete configuration option \"{option}\"", "option"),
    Saying(.version2, "Onion services version 2 are obsolete"),
    Saying(.version2, "Onion service version 2 are obsolete"),
    Saying(.version2, "HiddenServiceVersion must be 3, not 2"),
    Saying(.version2, "HiddenServiceVersion must be between 3 and 3, not 2"),
    Saying(.strayOption, "{option} with no preceding {what} directive", "option"),
    Saying(.range, "{option} must be between {low} and {high}, not {value}", "option"),
    Saying(.range, "{option} should be between {low} and {high}, not {value}", "option"),
    Saying(.choice, "{option} must be {value}, not ", "option"),
    Saying(.choice, "{option} must be '{value}' or ", "option"),
    Saying(.targetName, "Unparseable address in hidden service port configuration"),
    Saying(.targetName, "Couldn't process address <{address}> from hidden service configuration"),
    Saying(
      .port, "Unparseable or out-of-range port {port} in hidden service port configuration", "port"),
    Saying(.port, "Missing or invalid port {port} in hidden service port configuration", "port"),
    Saying(.portSyntax, "Bad syntax in hidden service port configuration"),
    Saying(.portSyntax, "HiddenServicePort parse error"),
    Saying(.noPorts, "Hidden service ({path}) with no ports configured", "path"),
    Saying(
      .duplicateDirectory, "Another hidden service is already configured for directory {path}",
      "path"),
    Saying(.burst, "burst ({burst}) can not be smaller than the rate value ({rate})", "burst"),
    Saying(.module, "was built without support for the option \"{option}\"", "option"),
    Saying(
      .module, "{option} are enabled in our configuration but this build of tor does not include"),
    Saying(.singleHop, "HiddenServiceSingleHopMode does not provide any server anonymity"),
    Saying(.singleHop, "HiddenServiceNonAnonymousMode does not provide any server anonymity"),
    Saying(.singleHop, "HiddenServiceNonAnonymousMode is incompatible with"),
    Saying(.torrcUnreadable, "Unable to open configuration file \"{path}\"", "path"),
    Saying(
      .include, "Error reading included configuration file or directory: \"{path}\"", "path"),
    Saying(.include, "Error while parsing configuration: more than {path} nested"),
    Saying(.relative, "Path for {option} ({path}) is relative and will resolve to {place}", "path"),
    Saying(.unknownUser, "Error setting configured user: {user} not found", "user"),
    Saying(.unknownUser, "User \"{user}\" not found", "user"),
    Saying(.userNotRoot, "If you set the \"User\" option, you must start Tor as root"),
    Saying(.userNotRoot, "You do not need the \"User\" option if you are already running as"),
    Saying(.userChange, "Error setting groups to gid {gid}: \"{reason}\""),
    Saying(.userChange, "Error setting configured uid to {user} ({uid}): {reason}"),
    Saying(.userChange, "Error setting configured euid to {user} ({uid}): {reason}"),
    Saying(.userChange, "Error setting gid to {gid}: {reason}"),
    Saying(.userChange, "Error setting egid to {gid}: {reason}"),
    Saying(.userChange, "No permission to set capabilities {what}: {reason}"),
    Saying(.runningAsRoot, "You are running Tor as root"),
    Saying(.listenerSyntax, "Invalid {option} configuration", "option"),
  ]

  private static let files: [Saying] = [
    Saying(.diskFull, "No space left on device"),
    Saying(.diskFull, "Disk quota exceeded"),
    Saying(.diskFull, "Quota exceeded"),
    Saying(.locked, "It looks like another Tor process is running with the same data directory"),
    Saying(.lockFile, "Couldn't open \"{path}\" for locking: {reason}", "path"),
    Saying(.lockFile, "Couldn't lock \"{path}\": {reason}", "path"),
    Saying(.logFile, "Couldn't open file for 'Log {path}': {reason}", "path"),
    Saying(.fileUnreadable, "Could not open \"{path}\": {reason}", "path"),
    Saying(.fileUnreadable, "Could not open \"{path}\" for mmap(): {reason}", "path"),
    Saying(.fileUnwritable, "Couldn't open \"{path}\" ({place}) for writing: {reason}", "path"),
    Saying(.fileUnwritable, "Unable to open \"{path}\" for writing: {reason}", "path"),
    Saying(.fileUnwritable, "Error replacing \"{path}\": {reason}", "path"),
    Saying(.fileUnwritable, "Error writing to \"{path}\": {reason}", "path"),
    Saying(.fileUnwritable, "Failed to unlink {path}: {reason}", "path"),
    Saying(.fileUnreadable, "Error reading from file \"{path}\": {reason}", "path"),
    Saying(.unreadable, "Could not reopen recently created directory {path}: {reason}", "path"),
    Saying(.fileUnwritable, "Unable to write state to file \"{path}\"", "path"),
    Saying(.fileUnwritable, "Unable to write PIDFile \"{path}\"", "path"),
    Saying(.stateFile, "Unable to parse state in \"{path}\"", "path"),
    Saying(.stateFile, "State file seems to be broken"),
    Saying(.stateFile, "Unable to read state file \"{path}\"", "path"),
    Saying(.fileUnwritable, "Could not write onion address to hostname file {path}", "path"),
    Saying(.keyMissing, "We needed to load a secret key from {path}, but", "path"),
    Saying(.keyMismatch, "{path} does not match {public}!", "path"),
    Saying(.publicRegenerated, "Found secret key but not {path}. Regenerating", "path"),
    Saying(.keysUnsaved, "Unable to generate keys and save in {path}", "path"),
    Saying(.sameKeyTwice, "register_all_services: Non-fatal assertion"),
    Saying(.sameKeyTwice, "Unable to register service with directory {path}"),
    Saying(.keyRejected, "Private key does not seem"),
    Saying(.keyRejected, "Fail to setup from {name} environment"),
    Saying(.guardRefused, "onionkeeper: tor not started: {reason}"),
  ]

  private static let clients: [Saying] = [
    Saying(
      .clientDuplicate, "Duplicate authorization for the same hidden service address {address}"),
    Saying(
      .clientSideIgnored,
      "Client authorization unrecognized filename {file}. File must end in .auth_private", "file"),
    Saying(
      .clientIgnored, "Client authorization unrecognized filename {file}. File must end in .auth",
      "file"),
    Saying(.clientIgnored, "Client authorization file {file} can't be read", "file"),
    Saying(.clientIgnored, "Client authorization directory {file} can't be listed", "file"),
    Saying(.clientSideIgnored, "Client authorization key directory {file} can't be listed", "file"),
    Saying(.clientIgnored, "Client authorization encoded base32 public key length is invalid"),
    Saying(.clientIgnored, "Client authorization public key cannot be decoded"),
    Saying(.clientSideIgnored, "Client authorization encoded base32 private key"),
    Saying(.clientIgnored, "Client authorization key type '{kind}' not supported"),
    Saying(.clientIgnored, "Client authorization auth type '{kind}' not supported"),
    Saying(.clientIgnored, "Unknown format of client authorization file"),
    Saying(.onionBalance, "OnionBalance: Unable to {what} config file {path}", "path"),
    Saying(.onionBalance, "OnionBalance: Unable to parse config file: {path}", "path"),
    Saying(.onionBalance, "OnionBalance: MasterOnionAddress {path} is invalid", "path"),
    Saying(.onionBalance, "The onion address \"{address}\" is invalid in file {path}", "path"),
  ]

  private static let running: [Saying] = [
    Saying(.bind, "Could not bind to {address}: {reason}", "address"),
    Saying(.bind, "Bind to {address} failed: {reason}", "address"),
    Saying(.bind, "Could not listen on {address}: {reason}", "address"),
    Saying(.sandbox, "(Sandbox) Caught a bad syscall attempt (syscall {call})"),
    Saying(.sandbox, "(Sandbox) failed "),
    Saying(
      .sandboxInclude,
      "Sandbox is active, but a new configuration file \"{path}\" has been listed", "path"),
    Saying(
      .sandboxInclude,
      "Sandbox is active, but the configuration pattern \"{path}\" listed", "path"),
    Saying(.clock, "Our clock is {offset} behind the time published"),
    Saying(.clock, "It seems that our clock is {offset}"),
    Saying(.clock, "Your system clock just jumped {offset}"),
    Saying(.clock, "Either their clock is set wrong, or your clock is wrong"),
    Saying(.clock, "{phase} (Clock skew {offset} in {source} from"),
    Saying(.bootstrap, "Problem bootstrapping. Stuck at {phase}: {reason}"),
    Saying(.bootstrap, "No live consensus so we can't get the responsible hidden service"),
    Saying(.circuitLimit, "exceeded its circuit launch limit"),
    Saying(.circuitLimit, "exceeded launch limit with"),
    Saying(.needsClientKey, "Fail to decrypt descriptor for requested onion address"),
    Saying(.needsClientKey, "is invalid. Can't decrypt the descriptor"),
    Saying(.socketFamily, "Socket creation failed: {reason}"),
    Saying(.connectionLimit, "Failing because we have {count} connections already"),
    Saying(.target, "Onion service connection to {target} failed ({reason})", "target"),
    Saying(.transport, "Managed proxy at '{path}' failed", "path"),
    Saying(.transport, "Could not launch managed proxy executable at '{path}'", "path"),
    Saying(.step, "Failed at step {step} spawning {path}: {reason}", "step"),
    Saying(.unitPath, "Failed to set up mount namespacing: {path}: {reason}", "path"),
    Saying(.killedBySystemCall, "code=killed, status=31/SYS"),
    Saying(.killedBySystemCall, "code=dumped, status=31/SYS"),
    Saying(.outOfMemory, "Failed with result 'oom-kill'"),
    Saying(.outOfMemory, "A process of this unit has been killed by the OOM killer"),
  ]

  private static let warnings: [Saying] = [
    Saying(.controlOpen, "You have a ControlPort set to accept unauthenticated connections"),
    Saying(.controlOpen, "You have a ControlPort set to accept connections from a non-local"),
    Saying(.controlOpen, "but no authentication method has been configured"),
    Saying(.noGuards, "UseEntryGuards is disabled, but you have configured one or more hidden"),
    Saying(.pinnedGuards, "EntryNodes is set with multiple entries and at least one hidden"),
    Saying(.notAnonymous, "Every hidden service on this tor instance is NON-ANONYMOUS"),
    Saying(.notAnonymous, "configured to run in a non-anonymous mode"),
  ]

  private static let followUps: [Saying] = [
    Saying(.consequence, "config lines that didn't validate: Failed to "),
    Saying(.refused, "config lines that didn't validate: {reason}", "reason"),
    Saying(.refused, "Can't parse configuration for onion service: {reason}", "reason"),
    Saying(.refused, "Bad configuration for onion service: {reason}", "reason"),
    Saying(.consequence, "Failed to create syscall sandbox filter"),
    Saying(.dataDirectory, "private data directory \"{path}\"", "path"),
    Saying(.dataDirectory, "Can't create/check datadirectory {path}", "path"),
    Saying(.consequence, "Failed to parse/validate config: Failed to "),
    Saying(.consequence, "Failed to parse/validate config: Problem with User value"),
    Saying(.refused, "Failed to parse/validate config: {reason}", "reason"),
    Saying(.refused, "Failed to validate default config: {reason}", "reason"),
    Saying(.notDirectory, "{path} is not a directory", "path"),
    Saying(.consequence, "Reading config failed"),
    Saying(.consequence, "Restart failed (config error?)"),
    Saying(.consequence, "Acting on config options left us in a broken state"),
    Saying(.consequence, "Failed to bind one of the listener ports"),
    Saying(.consequence, "Unable to create listener port"),
    Saying(.consequence, "No, it's still there.  Exiting"),
    Saying(.consequence, "Error loading rendezvous service keys"),
    Saying(.consequence, "For v3 onion service client authorization, please read"),
    Saying(.consequence, "Error initializing keys; exiting"),
    Saying(.consequence, "Active: failed (Result:"),
    Saying(.consequence, "(code=exited, status="),
    Saying(.consequence, "Main process exited, code="),
    Saying(.consequence, "main process exited, code="),
    Saying(.consequence, "Control process exited, code="),
    Saying(.consequence, "control process exited, code="),
    Saying(.consequence, "Failed with result '"),
    Saying(.consequence, "entered failed state"),
    Saying(.consequence, "Failed to start Anonymizing overlay network"),
    Saying(.consequence, "Start request repeated too quickly"),
    Saying(.consequence, "start request repeated too quickly"),
    Saying(.harmless, "Tor Browser: "), Saying(.harmless, "Scheduled restart job"),
    Saying(.harmless, "Configuration was valid"),
    Saying(.harmless, "Fixing permissions on directory"),
    Saying(.harmless, "Could not read your DNS config"),
    Saying(.harmless, "CONTROLPORT option is deprecated"),
    Saying(.harmless, "is configured with 'ReachableAddresses'"),
    Saying(.harmless, "has no value. Skipping"),
    Saying(.harmless, "You specified a public address"),
    Saying(.harmless, "hasn't been set to"),
    Saying(.harmless, "Tor was compiled with "),
    Saying(.harmless, "Then turn on full auditing"),
    Saying(.harmless, " connections have failed"),
    Saying(.harmless, " connections died in state "),
    Saying(.harmless, "This build of Tor has been compiled with one or more options"),
    Saying(.harmless, "OpenSSL version from headers does not match"),
    Saying(.harmless, "used more than once; all but the last value will be ignored"),
    Saying(.harmless, "is deprecated; use"),
    Saying(.harmless, "is deprecated. Please use"),
    Saying(.harmless, "option is deprecated, and will most likely be removed"),
    Saying(.harmless, "Your log may contain sensitive information"),
    Saying(.harmless, "CookieAuthFileGroupReadable is set, but will have no effect"),
    Saying(.harmless, "Your network connection speed appears to have changed"),
    Saying(.harmless, "Rejecting SOCKS request"),
    Saying(.harmless, "is failing more circuits than usual"),
    Saying(.harmless, "is failing a very large amount of circuits"),
    Saying(.harmless, "is failing an extremely large amount of circuits"),
  ]
}

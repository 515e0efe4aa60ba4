/// Keys, files in a service's directory, and who may be a client.
extension Judge {
  func keyFindings(except claimed: Set<Int>) -> [Finding] {
    var found: [Finding] = []
    for (_, group) in groups(.keyMissing, except: claimed) {
      found.append(
        key(
          group, "keys.missing", .blocks,
          "The secret key \(path(group)) is missing or damaged, and its public key is there.",
          "tor refuses to make another identity beside a public key. That is what saves the address: do not remove the public key.",
          [
            Fix(
              .ownership,
              "Put the secret key of this address back from a backup: 96 bytes, tor's, mode 0600."),
            Fix(
              .configuration,
              "If there is no backup, the address is lost. A new one needs a directory of its own; keep this one."
            ),
          ], ["stat -c '%s %U %a' \(quoted(path(group)))    # 96 bytes"]))
    }
    for (_, group) in groups(.keyMismatch, except: claimed) {
      found.append(
        key(
          group, "keys.mismatch", .blocks,
          "\(path(group)) and \(group.captures["public"] ?? "its public key") are not of one address.",
          "Two backups were mixed, or one file of two was restored.",
          [
            Fix(
              .ownership,
              "Put both files back from one backup. Keep both present ones aside, under other names, until the address answers again."
            )
          ],
          ["cat <HiddenServiceDir>/hostname    # the address that it was"]))
    }
    for (_, group) in groups(.publicRegenerated, except: claimed) {
      found.append(
        key(
          group, "keys.public", .notice,
          "tor wrote the public key \(path(group)) anew from the secret one.",
          "Only the public key was missing. The address is the same.",
          [Fix(.nothing, "Nothing is to be done.")], []))
    }
    for (_, group) in groups(.fileUnreadable, except: claimed) {
      found.append(fileUnreadable(group))
    }
    for (_, group) in groups(.fileUnwritable, .keysUnsaved, except: claimed) {
      found.append(fileUnwritable(group))
    }
    for (_, group) in groups(.logFile, except: claimed) { found.append(logFile(group)) }
    for (_, group) in groups(.sameKeyTwice, except: claimed) {
      found.append(
        key(
          group, "keys.shared", .limits,
          "Two services have the same key: tor runs one of them and drops the other.",
          "Two HiddenServiceDir lead to one directory (a link, one volume mounted twice), or a key was copied. tor compares the names only, and finds out when it has loaded the keys.",
          [
            Fix(
              .configuration,
              "Make it one service with all the ports; or two directories with a key each, of which one gets a new address."
            )
          ],
          ["sha256sum <HiddenServiceDir>/hs_ed25519_public_key    # of each: no two may be equal"]))
    }
    if let first = groups(.guardRefused, except: claimed).first?.1 {
      found.append(
        key(
          first, "guard.refused", .blocks,
          "Onionkeeper's start guard refused to start tor: \(first.captures["reason"] ?? "").",
          "The key directory or the client files are not those that were approved; a start would have opened the service or changed its address.",
          [
            Fix(
              .nothing,
              "The next pass repairs what may be repaired; `onionkeeper status` names the rest.")
          ], ["onionkeeper status"]))
    }
    found += addressFindings()
    found += clientFindings()
    return found
  }

  private func path(_ group: TorLog.Group) -> String { group.captures["path"] ?? "the file" }

  private func key(
    _ group: TorLog.Group, _ code: String, _ impact: Impact, _ title: String, _ cause: String,
    _ fixes: [Fix], _ check: [String], confidence: Confidence = .high
  ) -> Finding {
    blocked(
      group, code, title, cause, stage: .keys, confidence: confidence, impact: impact, fixes: fixes,
      check: check)
  }

  private func fileUnreadable(_ group: TorLog.Group) -> Finding {
    let path = path(group)
    let reason = group.captures["reason"] ?? ""
    guard path.has("hs_ed25519_") else {
      return blocked(
        group, "file.unreadable", "tor cannot read \(path): \(reason).",
        "The file is not its user's"
          + (isSELinuxOff
            ? "."
            : ", or bears a label of somewhere else (a file that was moved keeps its label)."),
        stage: .keys, confidence: .medium, impact: .limits,
        fixes: [
          Fix(.ownership, "Give it to tor's user.", ["chown \(torUserWord): \(quoted(path))"]),
          isSELinuxOff
            ? nil
            : Fix(.label, "Set the label that belongs there.", ["restorecon -v \(quoted(path))"]),
        ].compactMap { $0 }, check: ["ls -lZ \(quoted(path))"])
    }
    return blocked(
      group, "keys.unreadable", "tor cannot read the key \(path): \(reason).",
      "Danger: if neither secret nor public key can be read, tor makes a new identity and replaces the files: the address is lost. Stop tor before anything else, and keep a copy of the directory."
        + (isSELinuxOff
          ? ""
          : " The file belongs to another user, or was moved here with the label of where it came from."),
      stage: .keys, confidence: .medium, impact: .risk,
      fixes: [
        Fix(
          .ownership, "Give the two key files to tor's user.",
          [
            "systemctl stop \(unitWord)", "chown \(torUserWord): \(quoted(path))",
            "chmod 0600 \(quoted(path))",
          ]),
        isSELinuxOff
          ? nil
          : Fix(
            .label, "Set the labels that belong there.", ["restorecon -Rv \(quoted(folder(path)))"]),
      ].compactMap { $0 },
      check: [
        "ls -lZ \(quoted(folder(path)))",
        "cat \(quoted(folder(path) + "/hostname"))    # still the same address after the start",
      ])
  }

  private func folder(_ path: String) -> String {
    "/" + path.split(separator: "/").dropLast().joined(separator: "/")
  }

  private func fileUnwritable(_ group: TorLog.Group) -> Finding {
    let path = path(group)
    let reason = group.captures["reason"] ?? ""
    if let finding = readOnly(group, path, reason) { return finding }
    let folder = folder(path)
    let isState = !path.has("hs_ed25519") && !path.has("hostname")
    return blocked(
      group, "file.unwritable", "tor may not write \(path)\(reason.isEmpty ? "" : ": \(reason)").",
      "The folder is not its user's"
        + (isSELinuxOff
          ? "." : ", or is labelled for something else. What was given does not tell which."),
      stage: .keys, confidence: .low, impact: isState ? .limits : .blocks,
      fixes: [
        Fix(
          .ownership, "Give this one folder to tor's user.",
          ["chown \(torUserWord): \(quoted(folder))", "chmod 0700 \(quoted(folder))"]),
        isSELinuxOff
          ? nil
          : Fix(
            .label, "On a host with SELinux: label it for tor, for good.",
            [
              "semanage fcontext -a -t tor_var_lib_t \(fcontext(folder))",
              "restorecon -Rv \(quoted(folder))",
            ]),
      ].compactMap { $0 },
      check: ["ls -ldZ \(quoted(folder)); findmnt -T \(quoted(folder))"] + hiddenDenials)
  }

  private func logFile(_ group: TorLog.Group) -> Finding {
    blocked(
      group, "file.log",
      "tor cannot write its log file: \(path(group)): \(group.captures["reason"] ?? "").",
      "The folder is not its user's, or labelled for something else (tor writes below /var/log/tor, type tor_var_log_t).",
      stage: .configuration, confidence: .medium,
      fixes: [
        Fix(
          .configuration,
          "Log to the journal: `Log notice syslog`, or to standard output in a container."),
        Fix(
          .ownership, "Or give it a folder of its own.",
          ["install -d -m 0750 -o \(torUserWord) /var/log/tor"]
            + (isSELinuxOff ? [] : ["restorecon -v /var/log/tor"])),
      ], check: restartCheck)
  }

  // MARK: - Addresses

  private func addressFindings() -> [Finding] {
    let expected = facts.addresses.expected
    let others = facts.addresses.seen.filter { seen in
      !expected.contains { $0.address == seen.address }
    }
    let isMissing = expected.filter { wish in
      !facts.addresses.seen.contains { $0.address == wish.address }
    }
    let rejected = groups(.keyRejected).first?.1
    if let wish = isMissing.first, let other = others.first {
      var evidence = rejected?.evidence ?? EvidenceList()
      evidence.add(wish.evidence)
      evidence.add(other.evidence)
      return [
        Finding(
          "keys.replaced", .risk, .keys,
          "The service runs under another address: \(short(other.address)), not \(short(wish.address)).",
          cause: (rejected == nil
            ? ""
            : "The key that was supplied never reached tor: what wraps it could not read it (line ends or padding in the base64, another format). ")
            + "tor then made a key of its own and started. That tor runs says nothing. tor by itself does the same where a secret key is damaged and no public key lies beside it.",
          confidence: .high, evidence: evidence, position: other.position,
          fixes: [
            Fix(
              .configuration,
              "Stop the service, and keep the directory with the new key aside; nothing in it is to be deleted."
            ),
            Fix(
              .ownership,
              "Put the right key in place: hs_ed25519_secret_key has 96 bytes and begins with `== ed25519v1-secret: type0 ==` and three NULs; its public key beside it makes tor refuse another."
            ),
            Fix(
              .configuration,
              "The expected address stays as it is written: it is what proves the key."),
          ],
          check: [
            "stat -c %s <HiddenServiceDir>/hs_ed25519_secret_key    # 96",
            "onionkeeper keys import --help    # checks a key against its address before anything starts",
          ])
      ]
    }
    guard let rejected else { return [] }
    return [
      key(
        rejected, "keys.rejected", .risk,
        "The key that was supplied could not be read, and tor may have made another.",
        "What wraps tor did not take the key (line ends or padding in the base64, another format), and started tor all the same.",
        [
          Fix(
            .configuration,
            "Compare the address that it runs under with the one that it should have; stop it if they differ, and keep the new key aside."
          ),
          Fix(
            .ownership,
            "Put the right key in place: hs_ed25519_secret_key has 96 bytes and begins with `== ed25519v1-secret: type0 ==`; keep its public key beside it."
          ),
        ], ["cat <HiddenServiceDir>/hostname"], confidence: .medium)
    ]
  }

  private func short(_ address: String) -> String { "\(address.prefix(8))….onion" }

  // MARK: - Clients

  private func clientFindings() -> [Finding] {
    var found: [Finding] = []
    let ignored = groups(.clientIgnored).map(\.1)
    if let first = ignored.first {
      var evidence = EvidenceList()
      for group in ignored { evidence.add(group.evidence) }
      found.append(
        Finding(
          "clients.ignored", .risk, .running,
          "tor ignores a client's file; a service whose last valid file is gone is open to everybody.",
          cause:
            "A file in authorized_clients cannot be used (its name must end in .auth; its one line is `descriptor:x25519:<52 characters of base32>`, without blanks, the client's PUBLIC key; tor's user must be able to read it). tor only warns, and a service without one valid file asks for no authorization at all.",
          confidence: .high, evidence: evidence, position: first.position,
          fixes: [
            Fix(.configuration, "Stop the service if none of its files is valid, until one is."),
            Fix(.configuration, "Write the file anew, with a plain line end, and restart tor."),
            Fix(
              .ownership, "Or give the file to tor's user.",
              ["chown \(torUserWord): <HiddenServiceDir>/authorized_clients/*.auth"]),
          ],
          check: [
            "grep -c '^descriptor:x25519:[A-Z2-7]\\{52\\}$' <HiddenServiceDir>/authorized_clients/*.auth    # 1 for each; shows no key"
          ]))
    }
    for (_, group) in groups(.clientDuplicate) { found.append(duplicateClient(group)) }
    for (_, group) in groups(.clientSideIgnored) {
      found.append(
        key(
          group, "clients.own.ignored", .limits,
          "tor, as a client, ignores a key file of ClientOnionAuthDir.",
          "The name must end in .auth_private and the one line be `<56 characters of the address>:descriptor:x25519:<key>`. It concerns services that this tor visits, none that it offers.",
          [Fix(.configuration, "Mend or rename the file if it is needed.")],
          ["ls -l <ClientOnionAuthDir>"]))
    }
    for (_, group) in groups(.onionBalance) {
      found.append(
        key(
          group, "onionbalance.config", .blocks,
          "The ob_config of a service cannot be used: \(path(group)).",
          "HiddenServiceOnionBalanceInstance 1 needs a readable ob_config in the service's directory: `MasterOnionAddress <56 characters>.onion`.",
          [Fix(.configuration, "Write the file, tor's, mode 0600, with the master's address.")],
          restartCheck))
    }
    return found
  }

  private func duplicateClient(_ group: TorLog.Group) -> Finding {
    var evidence = EvidenceList()
    let folder = facts.torrc.options["clientonionauthdir"]
    if let folder { evidence.add(folder.evidence) }
    let names = facts.listing.names.filter { $0.name.hasSuffix(".auth_private") }
    for name in names.prefix(2) { evidence.add(name.evidence) }
    let place = folder?.value ?? "<ClientOnionAuthDir>"
    let listed =
      names.isEmpty
      ? ""
      : " Among \(names.prefix(4).map(\.name).joined(separator: ", "))\(names.count > 4 ? "…" : "") two are for one address."
    let others = facts.listing.names.filter {
      $0.name.has(".auth_private") && !$0.name.hasSuffix(".auth_private")
    }
    return blocked(
      group, "clients.own.duplicate", "Two .auth_private files are for the same onion address.",
      "This is tor's client side: keys for services that this tor visits. Two files of \(place) begin with the same address, and tor refuses to start.\(listed)"
        + (others.isEmpty
          ? ""
          : " \(others[0].name) does not count: tor reads only names that end in .auth_private.")
        + " tor does not write which address it is.",
      stage: .configuration, evidence: evidence,
      fixes: [
        Fix(
          .configuration,
          "Compare what stands before the first colon of each file, which is the address, and move one of two equal ones out of the folder.",
          [
            "awk -F: '{print $1, FILENAME}' \(quoted(place))/*.auth_private | sort    # addresses and names, no keys"
          ])
      ], check: restartCheck)
  }
}

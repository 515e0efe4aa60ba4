import SELinux

/// What the kernel's audit records say beside denials: contexts that it would not give, and other modules' refusals.
extension Judge {
  func selinuxError(_ notice: AuditNotice) -> Finding {
    switch notice.fields["op"] {
    case "security_bounded_transition": return boundedTransition(notice)
    case "security_validate_transition": return labelChange(notice)
    default: return unknownContext(notice)
    }
  }

  /// Under no_new_privs a domain may only change into one that is bounded by it (typebounds), or by `nnp_transition`
  /// (kernel 4.14: security/selinux/hooks.c, check_nnp_nosuid).
  private func boundedTransition(_ notice: AuditNotice) -> Finding {
    let old = notice.fields["oldcontext"].flatMap { SecurityContext($0) }
    let new = notice.fields["newcontext"].flatMap { SecurityContext($0) }
    let from = old?.type ?? "the process"
    let to = new?.type ?? "another domain"
    let isContainer = to.has("container") || to.has("svirt") || to.has("spc_t")
    return Finding(
      "selinux.transition", isContainer || to == "tor_t" ? .blocks : .limits, .launch,
      "SELinux did not let \(from) become \(to): the process has no_new_privs, or the program lies on a nosuid mount.",
      cause:
        "With no_new_privs (a container's `no-new-privileges`, a unit's NoNewPrivileges=) a process may only enter a domain that is bounded by its own, unless the policy has the rule nnp_transition, which the kernel knows since 4.14 (EL 7: not). "
        + "No file is labelled wrongly, and no rule that allows the access helps: there is no access. \(isContainer ? "The container does not start." : "The program does not start, or stays in \(from).")",
      confidence: .high, evidence: evidence(notice),
      position: facts.position(notice.evidence.first),
      fixes: [
        Fix(
          .update,
          "Update kernel and policies together: newer ones let engines and systemd do it.",
          ["dnf upgrade kernel container-selinux selinux-policy-targeted"]),
        Fix(
          .unit,
          "Until then, start just this one without it (a unit: NoNewPrivileges=no in a drop-in; a container: leave `no-new-privileges` out). It gives a protection away; SELinux stays on."
        ),
      ],
      check: [
        "sesearch -A -s \(quoted(from)) -t \(quoted(to)) -c process2    # nnp_transition",
        "ausearch -m SELINUX_ERR -ts recent    # no new record after the next start",
      ])
  }

  private func labelChange(_ notice: AuditNotice) -> Finding {
    let old = notice.fields["oldcontext"] ?? "?"
    let new = notice.fields["newcontext"] ?? "?"
    return Finding(
      "selinux.relabel", .limits, .directory,
      "SELinux did not let a label be changed from \(old) to \(new).",
      cause:
        "A constraint on changing levels or users (mlsvalidatetrans, validatetrans) forbids it to who tried\(notice.fields["taskcontext"].map { " (\($0))" } ?? ""). An allow rule does not override it.",
      confidence: .high, evidence: evidence(notice),
      position: facts.position(notice.evidence.first),
      fixes: [
        Fix(
          .label, "Let an unconfined root set the label, or the service that it belongs to.",
          ["restorecon -FRv <path>"])
      ], check: ["ls -dZ <path>"])
  }

  private func unknownContext(_ notice: AuditNotice) -> Finding {
    let context =
      notice.fields["invalid_context"] ?? notice.fields["newcontext"] ?? notice.fields["ocontext"]
    return Finding(
      "selinux.context", .notice, .later,
      "The loaded policy does not know a context\(context.map { ": \($0)" } ?? "").",
      cause:
        "A label was set, or found, that belongs to a policy module which is not loaded; or a program may not enter the domain that was asked for. It is not a missing rule.",
      confidence: .medium, evidence: evidence(notice),
      position: facts.position(notice.evidence.first),
      fixes: [
        Fix(.update, "Install the policy package that brings the type."),
        Fix(.label, "Or set the label that belongs there.", ["restorecon -v <path>"]),
      ], check: ["seinfo -t <type>"])
  }

  /// fapolicyd, Landlock, IMA: they refuse too, and no label has to do with it.
  func otherRefusal(_ notice: AuditNotice) -> Finding? {
    let fields = notice.fields
    let what: (code: String, name: String, cause: String, fix: Fix, check: String)
    switch notice.kind {
    case .fileAccess:
      // FAN_DENY (linux/fanotify.h); 1 is FAN_ALLOW.
      guard fields["resp"] == "2" || fields["resp"]?.lowercased() == "deny" else { return nil }
      what = (
        "fapolicyd", "fapolicyd, the list of programs that may run,",
        "A program, or a library, is not on its list of what may be run: installed by hand, or changed since.",
        Fix(
          .configuration,
          "Install it from a package; or put this one file on the list, once it is known to be right.",
          ["fapolicyd-cli --file add <path>", "fapolicyd-cli --update"]),
        "ausearch -m FANOTIFY -ts recent -i    # the PATH record beside it names the file"
      )
    case .landlock:
      what = (
        "landlock", "Landlock",
        "The program confined itself (or its starter did), and reached beyond what it had left itself: \(fields["blockers"] ?? "?") of \(fields["path"] ?? "?").",
        Fix(
          .configuration,
          "Keep the path where the program's own settings expect it, or widen those settings."),
        "ausearch -m LANDLOCK_ACCESS -ts recent -i"
      )
    default:
      guard fields["res"] != "1" else { return nil }
      what = (
        "integrity", "IMA, the kernel's integrity check,",
        "The file's signature or hash is missing or wrong (\(fields["cause"] ?? "?")): \(fields["name"] ?? "?").",
        Fix(.update, "Install the package again that brings the file, signed."),
        "ausearch -m INTEGRITY_DATA -ts recent -i"
      )
    }
    return Finding(
      "\(what.code).denied", .limits, .launch, "\(what.name) refused something.",
      cause:
        "\(what.cause) It is not SELinux: the record has no contexts, and no label, boolean or module of SELinux has to do with it.",
      confidence: .medium, evidence: evidence(notice),
      position: facts.position(notice.evidence.first), fixes: [what.fix], check: [what.check])
  }
}

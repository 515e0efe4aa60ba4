/// Why a scalar is not what it should be: a whole message.
struct ScalarRefusal: Error {
  var message: String
}

/// Reads one scalar as `type`, which is no container.
func readScalar(_ text: String, isPlain: Bool, isNull: Bool, as type: FieldType) -> Result<
  FieldValue.Content, ScalarRefusal
> {
  func refuse(_ message: String) -> Result<FieldValue.Content, ScalarRefusal> {
    .failure(ScalarRefusal(message: message))
  }
  let shown = excerpt(text)
  if isNull { return refuse("has no value (\(type.allowed))") }
  switch type {
  case .boolean, .onlyFalse:
    if !isPlain { return refuse("\"\(shown)\" is a text (\(type.allowed), without quotes)") }
    if text == "true", case .onlyFalse = type { return refuse("true is not supported yet (false)") }
    if text == "true" || text == "false" { return .success(.boolean(text == "true")) }
    return refuse("\(shown) is not true or false (\(type.allowed))")
  case .integer(let range, let noun):
    if !isPlain { return refuse("\"\(shown)\" is a text (\(type.allowed), without quotes)") }
    guard let value = decimalInteger(text) else {
      let isHuge = text.utf8.allSatisfy { (0x30...0x39).contains($0) } && text.utf8.first != 0x30
      return refuse(
        isHuge
          ? "\(shown) is not \(noun) (\(type.allowed))"
          : "\(shown) is not \(noun) (\(type.allowed), decimal digits only)")
    }
    guard range.contains(value) else { return refuse("\(text) is not \(noun) (\(type.allowed))") }
    return .success(.integer(value))
  case .thousandths(let range, let noun):
    if !isPlain { return refuse("\"\(shown)\" is a text (\(type.allowed), without quotes)") }
    guard let value = decimalThousandths(text) else {
      return refuse("\(shown) is not \(noun) (\(type.allowed), up to three decimals)")
    }
    guard range.contains(value) else { return refuse("\(shown) is not \(noun) (\(type.allowed))") }
    return .success(.integer(value))
  case .size(let range):
    guard let value = size(text) else {
      return refuse("\(shown) is not a size (an integer with KiB, MiB or GiB: \(type.allowed))")
    }
    guard range.contains(value) else { return refuse("\(shown) is out of range (\(type.allowed))") }
    return .success(.integer(value))
  case .duration(let range):
    guard let value = duration(text) else {
      return refuse("\(shown) is not a duration (an integer with s, m, h or d: \(type.allowed))")
    }
    guard range.contains(value) else { return refuse("\(shown) is out of range (\(type.allowed))") }
    return .success(.integer(value))
  case .choice(let choices):
    guard let choice = choices.first(where: { $0.word == text }) else {
      if let meant = nearest(to: text, among: choices.map(\.word)) {
        return refuse("\(shown) is none of them (did you mean `\(meant)`? \(type.allowed))")
      }
      return refuse("\(shown) is none of them (\(type.allowed))")
    }
    return choice.isSupported
      ? .success(.text(text)) : refuse("\(text) is not supported yet (\(supported(choices)))")
  case .text(let rule):
    if let problem = rule.problem(text) { return refuse(message(problem, rule, text)) }
    if isPlain, !rule.plainWords.contains(text), let reading = surprise(text) {
      return refuse("YAML reads \(shown) as \(reading) (a text: \"\(shown)\")")
    }
    return .success(.text(text))
  case .list, .record, .map, .either, .anything:
    return refuse("\(shown) is a single value (\(type.allowed))")
  }
}

func message(_ problem: TextProblem, _ rule: TextRule, _ text: String) -> String {
  switch problem {
  case .because(let message): message
  case .notOne where rule.isShown: "\(excerpt(text)) is not \(rule.noun) (\(rule.allowed))"
  case .notOne: "is not \(rule.noun) (\(rule.allowed))"
  }
}

private func supported(_ choices: [Choice]) -> String {
  choices.filter(\.isSupported).map(\.word).joined(separator: "|")
}

@testable import Cycles
@testable import CyclesCLI

/// Command lines of the tool, the values of its options, and usage reports. The first byte of an input chooses the kind
/// of text.
enum CommandTarget {
    static func run(_ bytes: [UInt8]) throws(Finding) {
        var input = FuzzInput(bytes)
        switch input.byte() % 8 {
        case 0, 1: try readWords(&input)
        case 2: try readTime(input.text)
        case 3: try readAmount(input.text)
        case 4: try readNumber(input.text)
        case 5: try readUsage(&input)
        case 6: try readInstant(input.text)
        default: try readOthers(input.text)
        }
    }

    /// A command line is an invocation or a misuse in one paragraph, which shows no key. Each line is a word.
    private static func readWords(_ input: inout FuzzInput) throws(Finding) {
        var words: [String] = []
        while let line = input.line() { words.append(String(decoding: line, as: UTF8.self)) }
        let invocation: Invocation?
        do throws(Misuse) {
            invocation = try CyclesTool.command.invocation(of: words)
        } catch {
            invocation = nil
            try checkMisuse(error, words)
        }
        switch invocation {
        case .run(let path, let arguments):
            try require(path.last?.run != nil, "a group is run")
            try require(path.last?.rest != nil || arguments.rest.isEmpty, "words are left over")
        case .help(let path): try require(!path.helpText.isEmpty, "a command has no help")
        case .version, nil: break
        }
        _ = CyclesTool.command.asksForJSON(words)
    }

    private static func checkMisuse(_ misuse: Misuse, _ words: [String]) throws(Finding) {
        try require(misuse.description.hasPrefix("cycles"), "a misuse names no command: \(misuse)")
        guard words.count > 2, words[0] == "serve", words[1] == "--api-key", words[2].utf8.count > 40,
            !words.dropFirst(3).contains(where: { $0.hasPart(words[2]) })
        else { return }
        try require(!misuse.description.hasPart(words[2]), "a key is shown")
    }

    /// The tool reads a time as the library reads it in a variable.
    private static func readTime(_ text: String) throws(Finding) {
        guard let time = try? Values.duration(text) else { return }
        try require(time >= .zero, "\(text) is less than no time")
        try require(Duration(configured: text) == time, "\(text) is \(time) here and another time in a variable")
        try require((try? Values.duration("\(Instants.milliseconds(time))")) == time, "\(time) is another time")
    }

    private static func readAmount(_ text: String) throws(Finding) {
        guard let amount = try? Values.amount(text) else { return }
        try require(amount.amount >= 0, "\(text) is less than zero")
        try require((try? Values.amount("\(amount.amount):\(amount.unit)")) == amount, "\(amount) is another amount")
        if let budget = try? ServeCommand.parseBudget("tenant:acme=\(text)") {
            try require(budget.allocated == amount, "a budget has another amount")
        }
    }

    /// The tool reads a number as the library reads it in JSON.
    private static func readNumber(_ text: String) throws(Finding) {
        let number = Values.wholeNumber(text)
        if let number { try require(Values.wholeNumber("\(number)") == number, "\(number) is another number") }
        guard JSONNumber(digits: text) != nil else { return }
        let expected = try? JSONReader.document(Array(text.utf8)) { reader throws(JSONError) in try reader.readInt64() }
        try require(number == expected, "\(text) is \(number as Any) here and \(expected as Any) in JSON")
    }

    /// The report does not depend on the pieces in which it arrives, and never gives less than nothing.
    private static func readUsage(_ input: inout FuzzInput) throws(Finding) {
        let unit = Values.units[input.byte() % Values.units.count]
        let sizes = input.bytes(input.byte() % 16)
        let bytes = Array(input.rest)
        func report(_ pieces: [[UInt8]]) -> UsageReport {
            var report = UsageReport(unit: unit)
            for piece in pieces { report.add(piece) }
            report.finish()
            return report
        }
        let whole = report([bytes])
        try require(report(bytes.pieces(sizes)) == whole, "the report depends on the pieces")
        try require(whole.spend?.amount ?? 0 >= 0 && whole.spend?.unit ?? unit == unit, "the spend is unusable")
        try require((whole.metrics.tokensInput ?? 0) >= 0 && (whole.metrics.tokensOutput ?? 0) >= 0, "negative metrics")
        try require(whole.problems.count <= 20, "there are too many problems")
        try require(whole.problems.allSatisfy { !$0.contains(where: \.isNewline) }, "a problem has several lines")
    }

    /// A date of HTTP is read again as the same instant.
    private static func readInstant(_ text: String) throws(Finding) {
        if let number = Int64(text) {
            _ = (Instants.text(number), Instants.span(number))
            guard let date = Instants.httpDate(number), (-30_000_000_000_000...253_402_300_799_999).contains(number)
            else { return }
            let seconds = number / 1_000 - (number % 1_000 < 0 ? 1 : 0)
            try require(Instants.milliseconds(httpDate: date) == seconds * 1_000, "\(date) is another instant")
        }
        guard let instant = Instants.milliseconds(httpDate: text) else { return }
        let date = try require(Instants.httpDate(instant), "\(text) has no text")
        try require(Instants.milliseconds(httpDate: date) == instant, "\(date) is another instant")
    }

    private static func readOthers(_ text: String) throws(Finding) {
        if let action = try? Values.action(text) {
            try require("\(action.kind)/\(action.name)".hasSameUTF8(as: text), "an action lost a part")
        }
        if let subject = try? Values.levels(text) { try require(subject.dimensions == nil, "a level is a dimension") }
        if let key = try? ServeCommand.parseKey(text) {
            let whole = key.tenant.map { $0 + "=" + key.key } ?? key.key
            try require(whole.hasSameUTF8(as: text), "a key lost a part")
        }
        _ = (try? Values.subject(text), try? Values.jsonObject(text), try? Values.status(text))
        _ = (try? Values.overagePolicy(text), try? Values.whole(from: 1, to: 200)(text), Values.unit(text))
        _ = (try? ServeCommand.parseBudget(text), try? ServeCommand.parseTenant(text))
        _ = (try? ServeCommand.parseFailure(text), Spelling.nearest(to: text, among: ["tenant", "agent"]))
    }
}

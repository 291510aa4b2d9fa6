import Cycles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

// Verifies signatures that a list names, and times the verification of a signature and of an envelope. The former is internal to
// Cycles, so that this module contains the needed sources of Cycles by symbolic links.
//
// Arguments: a file with an envelope, a file with its key set.
//
// Each line of standard input has five words: the name of a set, the key, the message and the signature in hexadecimal digits,
// and the expected result: valid, invalid, or acceptable, of which either is right.

struct Count {
    var agreeing = 0
    var total = 0
    var accepted = 0
    var open = 0
}

var counts: [String: Count] = [:]
var times: [Duration] = []
var differences = 0
while let line = readLine() {
    let words = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
    let bytes = words.dropFirst().prefix(3).map { Hexadecimal.bytes($0.lowercased()) }
    guard words.count == 5, let key = bytes[0], let message = bytes[1], let signature = bytes[2] else {
        fatalError("not a vector: \(line)")
    }
    let start = ContinuousClock.now
    let isValid = Ed25519.verify(signature: signature, message: message, publicKey: key) == .valid
    times.append(ContinuousClock.now - start)
    var count = counts[words[0], default: Count()]
    count.total += 1
    if words[4] == "acceptable" {
        count.open += 1
        count.accepted += isValid ? 1 : 0
    }
    if words[4] == "acceptable" || isValid == (words[4] == "valid") {
        count.agreeing += 1
    } else {
        differences += 1
        print("differs: \(line)")
    }
    counts[words[0]] = count
}
for (name, count) in counts.sorted(by: { $0.key < $1.key }) {
    let open = count.open > 0 ? ", of which \(count.open) may go either way (\(count.accepted) accepted)" : ""
    print("\(name): \(count.agreeing) of \(count.total) as expected\(open)")
}

func median(_ times: [Duration]) -> String {
    "\(Int((times.sorted()[times.count / 2] / .microseconds(1)).rounded())) µs (median of \(times.count))"
}

func contents(_ path: String) -> [UInt8] {
    guard let stream = fopen(path, "r") else { fatalError("cannot open \(path)") }
    defer { fclose(stream) }
    var bytes: [UInt8] = []
    while true {
        let byte = getc(stream)
        if byte == EOF { return bytes }
        bytes.append(UInt8(byte))
    }
}

print("one signature: \(median(times))")
let envelope = contents(CommandLine.arguments[1])
let verifier = EvidenceVerifier(keys: try EvidenceKeySet(parsing: contents(CommandLine.arguments[2])))
let envelopeTimes = try (0..<1_000).map { _ in
    try ContinuousClock().measure {
        guard try verifier.verify(envelope).isAuthentic else { fatalError("the envelope is not authentic") }
    }
}
print("one envelope of \(envelope.count) bytes: \(median(envelopeTimes))")
guard differences == 0 else { fatalError("\(differences) results differ") }

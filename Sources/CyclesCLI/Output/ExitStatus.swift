/// The exit status of the tool. Most codes follow `sysexits.h`; few commands use them otherwise.
struct ExitStatus: Hashable, Sendable {
    let code: Int32
    /// The signal that ends the tool, if the system allows it; nil to exit with the code.
    let signal: Int32?

    init(code: Int32) { (self.code, signal) = (code, nil) }

    private init(signal: Int32) { (code, self.signal) = (128 + signal, signal) }

    static let success = ExitStatus(code: 0)
    /// The server refused for a reason without a status of its own, or a check of `doctor` failed.
    static let failure = ExitStatus(code: 1)
    /// The command line or the configuration cannot be used. Nothing was sent.
    static let misuse = ExitStatus(code: 2)
    /// The signature of evidence is valid, but nothing tells whose key signed.
    static let bindingOnly = ExitStatus(code: 3)
    /// The signer of evidence is not authorized, or not the expected one.
    static let unauthorizedSigner = ExitStatus(code: 4)
    /// The signer of evidence cannot be looked up.
    static let unresolvedSigner = ExitStatus(code: 5)
    /// Evidence or a webhook delivery was changed or forged.
    static let invalidSignature = ExitStatus(code: 6)
    /// `journal flush` set a file aside. Its spend has to be settled by hand.
    static let setAside = ExitStatus(code: 65)
    /// The server cannot be reached.
    static let unreachable = ExitStatus(code: 69)
    /// Standard output could not be written.
    static let unprinted = ExitStatus(code: 74)
    /// A temporary failure: 429, 5xx, an invalid answer, or no thread or file descriptor left.
    static let temporary = ExitStatus(code: 75)
    /// The command under `run` ended without a usage report. Nothing was sent.
    static let unreported = ExitStatus(code: 76)
    /// The budget authority denied the request.
    static let denied = ExitStatus(code: 77)
    /// The server does not accept the API key: 401 or 403.
    static let unauthorized = ExitStatus(code: 78)
    /// The command under `run` was found but cannot be started.
    static let notExecutable = ExitStatus(code: 126)
    /// The command under `run` was not found.
    static let notFound = ExitStatus(code: 127)

    /// An end by a signal. Shells show 128 plus the signal's number.
    static func signal(_ number: Int32) -> ExitStatus { ExitStatus(signal: number) }

    /// The statuses and their meanings, for the help.
    static let table = """
          0    success
          1    the server refuses, or any other failure
          2    the command line or the configuration cannot be used; nothing was sent
          3-5  evidence verify: the signature is valid without a known signer (3), the
               signer is not authorized (4), or cannot be looked up (5)
          6    evidence verify, webhook verify: changed or forged
          65   journal flush: a file was set aside, and has to be settled by hand
          69   the server cannot be reached
          74   standard output cannot be written
          75   a temporary failure: 429, 5xx, an invalid answer, or no thread, file
               descriptor or memory left
          76   run: the command did not report its usage, and --no-report is fail
          77   denied: the authority refuses the budget
          78   the API key is not accepted
          126  run: the command cannot be started
          127  run: the command was not found
          128+ a signal ended the tool, or the command under run
        """
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The terminal behind standard output.
enum Terminal {
    /// The number of columns and rows; 80 and 24 if unknown.
    static var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Whether the locale is UTF-8, so that the terminal shows block characters.
    static var hasBlocks: Bool {
        let locale = Environment.text("LC_ALL") ?? Environment.text("LC_CTYPE") ?? Environment.text("LANG") ?? ""
        // A modifier may follow, such as @euro.
        let name = locale.prefix { $0 != "@" }.uppercased()
        return name.hasSuffix("UTF-8") || name.hasSuffix("UTF8")
    }
}

/// The alternate screen of the terminal, without a cursor. Leaving it restores the main screen.
final class SecondScreen: Sendable {
    private let isShown = Lock(false)

    func show() {
        isShown.withLock { isShown in
            Keyboard.passKeys()
            Console.control("\u{1b}[?1049h\u{1b}[?25l")
            isShown = true
        }
    }

    /// Replaces the lines without flicker. Has no effect once any thread has left the screen.
    func draw(_ lines: [String]) {
        isShown.withLock { isShown in
            if isShown { Console.frame(lines) }
        }
    }

    /// Leaves the screen. Returns whether it was shown.
    @discardableResult
    func leave() -> Bool {
        isShown.withLock { isShown in
            if isShown {
                Console.control("\u{1b}[?25h\u{1b}[?1049l")
                Keyboard.restore()
            }
            defer { isShown = false }
            return isShown
        }
    }
}

/// The terminal behind standard input.
enum Keyboard {
    /// The settings of the terminal before ``passKeys()``; nil while it has these settings.
    private static let settings = Lock<termios?>(nil)

    /// Whether the terminal accepts changes from this process. The system would stop a process in the background.
    private static var isOurs: Bool {
        let foreground = tcgetpgrp(STDIN_FILENO)
        return foreground < 0 || foreground == getpgrp()
    }

    /// Makes the terminal pass each key immediately, without echo. Ctrl-C and Ctrl-Z remain signals.
    static func passKeys() {
        settings.withLock { settings in
            var changed = termios()
            guard settings == nil, isOurs, tcgetattr(STDIN_FILENO, &changed) == 0 else { return }
            settings = changed
            changed.c_lflag &= ~tcflag_t(ICANON | ECHO)
            withUnsafeMutableBytes(of: &changed.c_cc) { ($0[Int(VMIN)], $0[Int(VTIME)]) = (1, 0) }
            tcsetattr(STDIN_FILENO, TCSANOW, &changed)
        }
    }

    /// Restores the settings of the terminal.
    static func restore() {
        settings.withLock { settings in
            guard var original = settings else { return }
            if isOurs { tcsetattr(STDIN_FILENO, TCSANOW, &original) }
            settings = nil
        }
    }

    /// Passes keys to `handle` on a separate thread. Has no effect without a terminal or if no thread can be started.
    static func take(_ handle: @escaping @Sendable (UInt8) -> Void) {
        guard isatty(STDIN_FILENO) == 1 else { return }
        _ = Threads.start {
            while true {
                var input = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
                guard poll(&input, 1, -1) >= 0 || errno == EINTR else { return }
                guard isOurs else {
                    // Another process has the terminal and its keys.
                    usleep(200_000)
                    continue
                }
                var key: UInt8 = 0
                let count = withUnsafeMutableBytes(of: &key) { SystemCalls.read(STDIN_FILENO, $0) }
                if count == 1 { handle(key) } else if count == 0 || errno != EINTR { return }
            }
        }
    }
}

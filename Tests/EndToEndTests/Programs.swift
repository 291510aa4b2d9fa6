import Foundation
import Synchronization

/// Runs programs, and compiles those of `Tests/Programs` as a user would: against the public names of the modules.
enum Programs {
    struct Failure: Error, CustomStringConvertible { var description: String }

    struct Outcome {
        var status: Int32
        var output: String
        var errors: String
    }

    /// Where this build's executables, modules and object files are.
    static var buildFolder: URL {
        URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
    }

    /// An executable of this package.
    static func executable(_ name: String) -> URL { buildFolder.appendingPathComponent(name) }

    private static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// Runs an executable until it ends. Only `environment` and what every program needs is in its environment.
    static func run(
        _ executable: URL,
        _ arguments: [String] = [],
        environment: [String: String] = [:]
    ) throws -> Outcome {
        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("CYCLES_") }
        // Files that programs keep between runs must not reach the tester's home directory.
        variables["HOME"] = folder.path
        process.environment = variables.merging(environment) { $1 }
        // Files rather than pipes: neither stream can block the other.
        let (output, errors) = (folder.appendingPathComponent("output"), folder.appendingPathComponent("errors"))
        for file in [output, errors] { try Data().write(to: file) }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        process.waitUntilExit()
        return Outcome(
            status: process.terminationStatus,
            output: String(decoding: try Data(contentsOf: output), as: UTF8.self),
            errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self)
        )
    }

    /// Compiles a program of `Tests/Programs` and, unless only its diagnostics are wanted, links it.
    static func compile(_ name: String, to executable: URL?) throws -> Outcome {
        try compile(repository.appendingPathComponent("Tests/Programs/\(name).swift"), to: executable)
    }

    /// The compiler with arguments for sources that use the modules of this build.
    private static var compiler: [String] {
        let modules = buildFolder.appendingPathComponent("Modules")
        return [
            "swiftc", "-swift-version", "6", "-parse-as-library", "-module-name", "Program", "-Onone",
            "-I", FileManager.default.fileExists(atPath: modules.path) ? modules.path : buildFolder.path,
            "-I", repository.appendingPathComponent("Sources/CCurl").path,
        ]
    }

    /// Compiles the sources of the tool as those of another package.
    static func compileTool() throws -> Outcome {
        let folder = repository.appendingPathComponent("Sources/CyclesCLI")
        let sources = files(in: "Sources/CyclesCLI").filter { $0.hasSuffix(".swift") }
            .map { folder.appendingPathComponent($0).path }
        return try run(URL(fileURLWithPath: "/usr/bin/env"), compiler + typeChecking + sources)
    }

    /// A message of the compiler.
    struct Diagnostic: Hashable, Comparable {
        var file: String
        var line: Int
        var message: String

        static func < (left: Diagnostic, right: Diagnostic) -> Bool {
            (left.file, left.line, left.message) < (right.file, right.line, right.message)
        }
    }

    /// Checks the types of the programs in a folder of `Tests/Programs`.
    /// - Returns: The compiler's messages, and those that the programs expect: comments that begin with `error: ` or
    ///   `warning: `.
    static func diagnose(_ name: String) throws -> (Outcome, expected: [Diagnostic]) {
        let folder = repository.appendingPathComponent("Tests/Programs/\(name)")
        let sources = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "swift" }
        let expected = try sources.flatMap { source in
            let lines = try String(contentsOf: source, encoding: .utf8).components(separatedBy: "\n")
            return lines.enumerated().compactMap { index, line -> Diagnostic? in
                guard let comment = line.components(separatedBy: "  // ").dropFirst().first else { return nil }
                return Diagnostic(file: source.lastPathComponent, line: index + 1, message: comment)
            }
        }
        // One process for all files, since others stop after the first file with an error.
        let arguments = compiler + ["-typecheck", "-wmo"] + sources.map(\.path)
        return (try run(URL(fileURLWithPath: "/usr/bin/env"), arguments), expected.sorted())
    }

    /// The errors and warnings in the compiler's output, sorted.
    static func diagnostics(in output: String) -> [Diagnostic] {
        let found = output.components(separatedBy: "\n").compactMap { line -> Diagnostic? in
            let parts = line.components(separatedBy: ":")
            guard parts.count > 4, parts[0].hasSuffix(".swift"), let number = Int(parts[1]), Int(parts[2]) != nil else {
                return nil
            }
            let message = parts[3...].joined(separator: ":").trimmingCharacters(in: .whitespaces)
            return Diagnostic(
                file: (parts[0] as NSString).lastPathComponent,
                line: number,
                message: message.components(separatedBy: " [#")[0]
            )
        }
        return Set(found).sorted()
    }

    /// Checks the types of a source of this package as one of another package.
    static func check(_ path: String) throws -> Outcome {
        let source = repository.appendingPathComponent(path)
        return try run(URL(fileURLWithPath: "/usr/bin/env"), compiler + ["-typecheck", source.path])
    }

    /// A file with the indentation of its lines removed.
    static func unindented(_ text: String) -> String {
        text.components(separatedBy: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: "\n")
    }

    static func text(of path: String) throws -> String {
        try String(contentsOf: repository.appendingPathComponent(path), encoding: .utf8)
    }

    /// The object files of a module that name another module's declarations.
    static func objects(of module: String, thatUse other: String) throws -> [String] {
        let mangled = Data("\(other.utf8.count)\(other)".utf8)
        return try objects(of: module)
            .filter { try Data(contentsOf: $0).range(of: mangled) != nil }
            .map(\.lastPathComponent)
    }

    /// The object files of a module, one for each of its sources. The folder keeps objects of sources that are gone.
    private static func objects(of module: String) throws -> [URL] {
        let folder = buildFolder.appendingPathComponent("\(module).build")
        return files(in: "Sources/\(module)").filter { $0.hasSuffix(".swift") }.map {
            folder.appendingPathComponent(($0 as NSString).lastPathComponent + ".o")
        }
    }

    /// The features of this package, without regular expressions: programs without them are smaller.
    private static var typeChecking: [String] {
        let features = [
            "ExistentialAny", "MemberImportVisibility", "InternalImportsByDefault", "NonisolatedNonsendingByDefault",
        ]
        return features.flatMap { ["-enable-upcoming-feature", $0] } + [
            "-typecheck", "-Xfrontend", "-disable-implicit-string-processing-module-import",
        ]
    }

    private static func compile(_ source: URL, to executable: URL?) throws -> Outcome {
        var arguments = compiler + [source.path]
        if let executable {
            for module in ["Cycles", "CyclesTesting"] { arguments += try objects(of: module).map(\.path) }
            arguments += ["-lcurl", "-o", executable.path]
        } else {
            // Ownership is checked only once the compiler goes beyond types.
            arguments += ["-emit-sil", "-o", "/dev/null"]
        }
        return try run(URL(fileURLWithPath: "/usr/bin/env"), arguments)
    }

    /// Compiles sources together with a program of `Tests/Programs`, up to the checks of ownership, into one module.
    static func compile(sources: [String], with program: String) throws -> Outcome {
        let prelude = repository.appendingPathComponent("Tests/Programs/\(program).swift").path
        return try withFiles(sources) { files in
            let arguments = compiler + files + [prelude, "-wmo", "-emit-sil", "-o", "/dev/null"]
            return try run(URL(fileURLWithPath: "/usr/bin/env"), arguments)
        }
    }

    /// Checks the types of a source that uses the declarations of package manifests.
    static func compile(manifest: String) throws -> Outcome {
        let information = try run(URL(fileURLWithPath: "/usr/bin/env"), ["swiftc", "-print-target-info"])
        let target = try JSONSerialization.jsonObject(with: Data(information.output.utf8)) as? [String: Any]
        let paths = target?["paths"] as? [String: Any]
        guard let resources = paths?["runtimeResourcePath"] as? String else {
            throw Failure(description: "swiftc names no folder of its resources: \(information)")
        }
        return try withFiles([manifest]) { files in
            let options = ["-typecheck", "-I", "\(resources)/pm/ManifestAPI", "-package-description-version", "6.2"]
            return try run(URL(fileURLWithPath: "/usr/bin/env"), ["swiftc", "-swift-version", "6"] + options + files)
        }
    }

    /// Writes texts to files, which are removed at the end.
    private static func withFiles<Value>(_ texts: [String], _ body: ([String]) throws -> Value) throws -> Value {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = texts.indices.map { folder.appendingPathComponent("File\($0).swift") }
        for (text, file) in zip(texts, files) { try text.write(to: file, atomically: true, encoding: .utf8) }
        return try body(files.map(\.path))
    }

    /// The files in a folder of the repository and in its subfolders.
    static func files(in folder: String) -> [String] {
        FileManager.default.enumerator(atPath: repository.appendingPathComponent(folder).path)?.allObjects as? [String]
            ?? []
    }

    /// A library made from a C source of `Tests/Programs`, to be loaded before the others.
    static func preloadable(_ name: String) throws -> URL {
        let folder = buildFolder.appendingPathComponent("Programs")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let library = folder.appendingPathComponent("\(name).so")
        let source = repository.appendingPathComponent("Tests/Programs/\(name).c")
        let compilation = try run(
            URL(fileURLWithPath: "/usr/bin/env"),
            ["cc", "-shared", "-fPIC", "-o", library.path, source.path]
        )
        guard compilation.status == 0 else {
            throw Failure(description: "\(name) does not compile: \(compilation.errors)\(compilation.output)")
        }
        return library
    }

    /// Compiles a program of `Tests/Programs` and runs it.
    static func compileAndRun(_ name: String) throws -> Outcome {
        let source = repository.appendingPathComponent("Tests/Programs/\(name).swift")
        return try compileAndRun(source: try String(contentsOf: source, encoding: .utf8))
    }

    /// An executable made from a program of `Tests/Programs`, once for all tests.
    static func compiled(_ name: String) throws -> URL {
        try executables.withLock { executables in
            if let known = executables[name] { return known }
            let folder = buildFolder.appendingPathComponent("Programs")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let executable = folder.appendingPathComponent(name)
            let compilation = try compile(name, to: executable)
            guard compilation.status == 0 else {
                throw Failure(description: "\(name) does not compile: \(compilation.errors)\(compilation.output)")
            }
            executables[name] = executable
            return executable
        }
    }

    private static let executables = Mutex([String: URL]())

    /// Compiles a program and runs it.
    static func compileAndRun(source: String, environment: [String: String] = [:]) throws -> Outcome {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("Program.swift")
        try source.write(to: file, atomically: true, encoding: .utf8)
        let executable = folder.appendingPathComponent("program")
        let compilation = try compile(file, to: executable)
        guard compilation.status == 0 else {
            throw Failure(description: "The program does not compile: \(compilation.errors)\(compilation.output)")
        }
        return try run(executable, environment: environment)
    }

    /// The first code block of the README that contains a text, without its fences.
    static func codeBlock(inReadMeContaining text: String) throws -> String {
        let file = repository.appendingPathComponent("README.md")
        var block: [Substring]?
        for line in try String(contentsOf: file, encoding: .utf8).split(
            separator: "\n",
            omittingEmptySubsequences: false
        ) {
            if line.hasPrefix("```") {
                if let lines = block, lines.contains(where: { $0.contains(text) }) {
                    return lines.joined(separator: "\n") + "\n"
                }
                block = block == nil ? [] : nil
            } else {
                block?.append(line)
            }
        }
        throw Failure(description: "README.md has no code block with \(text)")
    }

    /// Whether this run is to compile programs: sanitized objects would need the sanitizer's libraries, and what the
    /// compiler says does not depend on them.
    static let areCompiled = ProcessInfo.processInfo.environment["CYCLES_TESTS_COMPILE_NO_PROGRAMS"] == nil

    static func temporaryFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("cycles-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }
}

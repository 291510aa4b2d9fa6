/// What the journal needs of a file system. Everything blocks.
package protocol FileSystem: Sendable {
    /// The user's home; nil if there is none.
    var homeDirectory: String? { get }
    /// The number that no other running process has.
    var processID: Int32 { get }

    /// Makes a directory that only its owner may use, with the directories above it. One that exists is accepted if it
    /// is a real directory, belongs to the user and may be written by nobody else.
    func prepareDirectory(_ path: String) throws(FileError)
    /// Makes a file that only its owner may read, with its contents on disk when this returns. It must not exist.
    func createFile(_ path: String, _ contents: [UInt8]) throws(FileError)
    /// Gives a file another name, replacing one that has it.
    func rename(_ path: String, to other: String) throws(FileError)
    /// Removes a file. One that is not there is no error.
    func remove(_ path: String) throws(FileError)
    /// Sees to it that the names in a directory are on disk.
    func syncDirectory(_ path: String) throws(FileError)
    /// The names in a directory, in no order; none if it is not there.
    func list(_ path: String) throws(FileError) -> [String]
    /// Reads a regular file without following a link.
    /// - Parameter limit: The most bytes that are read; a larger file is an error.
    func read(_ path: String, limit: Int) throws(FileError) -> [UInt8]
    /// Whether something can be made in a directory, as far as can be told without doing so.
    func mayWrite(to directory: String) -> Bool
    /// The time since a file was changed, below zero if that lies in the future; nil if it cannot be told.
    func age(of path: String) -> Duration?
}

/// Why something with a file did not work.
package struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was attempted, such as `create`.
    package let action: String
    package let path: String
    package let reason: String

    package init(action: String, path: String, reason: String) {
        self.action = action
        self.path = path
        self.reason = reason
    }

    package var description: String { "cannot \(action) \(path): \(reason)" }
}

/// The objects that all clients of a process share, one for each directory. An object exists as long as it is in use.
package final class DirectoryRegistry: Sendable {
    private struct Entry: Sendable {
        let path: String
        let process: Int32
        let object: WeakObject
    }

    private final class WeakObject: @unchecked Sendable {
        // Unchecked: set once, before any other thread can access it.
        private(set) weak var value: (any AnyObject & Sendable)?
        init(_ value: any AnyObject & Sendable) { self.value = value }
    }

    private let entries = Lock([Entry]())

    /// The registry that the clients of this process share.
    package static let ofProcess = DirectoryRegistry()

    package init() {}

    /// Returns the object of a directory. Different paths of one directory have the same object.
    /// - Parameter make: Creates the object if there is none.
    package func object<Object: AnyObject & Sendable>(
        for path: String,
        in files: any FileSystem,
        _ make: () -> Object
    ) -> Object {
        let identity = files.identity(of: path)
        return entries.withLock { entries in
            // In a forked process, the parent's objects have no threads.
            entries.removeAll { $0.object.value == nil || $0.process != files.processID }
            for entry in entries
            where entry.path == path || (identity != nil && files.identity(of: entry.path) == identity) {
                if let object = entry.object.value as? Object { return object }
            }
            let object = make()
            entries.append(Entry(path: path, process: files.processID, object: WeakObject(object)))
            return object
        }
    }
}

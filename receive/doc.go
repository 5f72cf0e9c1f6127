// Package receive is the SSH front door: it finds out who is there, and hands a push, a clone or a management command to
// [Sessions]. It knows neither git's protocol nor what an app is.
//
// What is offered is deliberately little: user git, public keys, sessions with one command each, which may have a terminal. No forwarding,
// no agent, no X11, no subsystem but for the operator, and no variable of the client but TERM reaches the server.
//
// # Threat model
//
// Assets, the most precious first: the machine and its engine, of which boathook may do everything; the apps' variables and the keys of their
// certificates; what the apps serve, and that they serve; the source of the apps; the records of who did what.
//
// Who is there, and what each may do:
//
//   - Anyone on the network may speak to the SSH port and the router. Without a known key nothing comes of the former.
//   - A limited collaborator of an app sees it, its processes, deployments and logs, and restarts it.
//   - A collaborator deploys, scales, clones, runs commands, and reads and sets variables. Who deploys runs code: in builds, hooks and containers.
//   - The owner besides names collaborators, reads the timeline, renames the app and destroys it. An administrator is the owner of every app and manages users.
//   - The operator is whoever can open the admin socket: the user that boathook runs as, and root. He may do everything.
//   - An app trusts its own source, buildpacks and base images. The machine and other apps trust none of them.
//
// What is defended, and where:
//
//	a stranger gets in, or learns which apps exist    keys only; one answer for "not there" and "not yours"   receive, apps
//	a stranger uses the server up                     bounds on connections, attempts, silence, lines         receive
//	a push breaks git or the server                   index-pack in a child with limits, in a quarantine      gitpack
//	a push writes outside its repository              names by one pattern, fsck, no hooks, no shell          gitpack, receive
//	a user gets further than his role                 one place asks, every refusal is audited                apps
//	a deployment that fails or dies takes the app     nothing of the old version is touched before the switch deploy
//	a build or hook goes on, or uses the machine up   limits of time, memory, processes, size, log; killed    builder, runner
//	an app reaches the machine or other apps          own network, firewall, uid, no capabilities             runner/docker
//	an app starves the others                         limits of memory, processes, files, log; weight of CPU  runner/docker
//	secrets leak by output, argv, image or file       masked; not in images; sealed in the database           deploy, builder, state
//	a value in the database is moved or altered       sealed for its place, and refused if it does not open   state
//	somebody has us ask an authority for any name     only hosts in the table, no wildcards, at a pace          router
//	a certificate has us ask an address inside        responders at public addresses, port 80 and 443 only    router
//	an own certificate is served for another's host   looked for in the route of the host alone               router
//	a client abuses the router                        limits of header, body, queue and time                  router
//
// What is not defended:
//
//   - The local engine isolates nothing: who deploys there is the user that boathook runs as.
//   - A bug of the kernel or of the engine lets a container out. Containers share the kernel.
//   - A Dockerfile's RUN is root in its build container, without boathook's limit of processes, and with BuildKit without those of memory
//     and network: see the README on -build-network and -fence-bridge. An engine with limits of its own bounds it.
//   - Without nftables, or the right to use it, apps reach the machine's own addresses; boathook says so when it starts.
//   - The file system of a running container is not bounded in size unless the engine does that; an app may fill the disk. Deployments
//     are then refused, and the apps' requests still served.
//   - Apps may connect to the whole network beyond the machine, and among containers of the same app, but for what a hook looks at.
//   - A collaborator who can deploy can read every variable of the app, and print it in forms that no mask knows.
//   - Who can read secrets.key and the database, or a backup, has the variables. Variables are in the environment of running
//     containers, where the engine's own users (docker inspect) see them.
//   - Traffic to the router is readable and alterable on its way unless HTTPS is switched on, or a TLS terminator is before it. Who can read
//     data/certificates, or a backup, has the keys of the certificates that were obtained; who can read data/router, where 'boathook router' keeps
//     its table, those of the apps' own.
//   - Floods of more bandwidth or requests than the machine has; the limits only keep one part from starving another.
//   - The first connection to a server whose host key the client does not know is the client's to check.
package receive

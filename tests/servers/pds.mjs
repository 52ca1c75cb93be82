// Bluesky's own PDS and the PLC directory it registers its accounts at, on this machine's loopback alone.
// Ends when its standard input does, so that it never outlives the tests.
import { registerHooks } from 'node:module'
import net from 'node:net'
import { randomBytes } from 'node:crypto'

const { PDS_PORT, PLC_PORT } = process.env
const sqlite = new URL('./pds_sqlite.mjs', import.meta.url).href
const secret = (bytes) => randomBytes(bytes).toString('hex')

registerHooks({
  resolve: (name, from, next) =>
    name === 'better-sqlite3' ? { url: sqlite, shortCircuit: true } : next(name, from),
})

const listen = net.Server.prototype.listen // both would listen on every address otherwise
net.Server.prototype.listen = function (where, ...more) {
  const onlyHere = typeof where === 'object' ? { ...where, host: '127.0.0.1' } : { port: where, host: '127.0.0.1' }
  return listen.call(this, onlyHere, more.find((each) => typeof each === 'function'))
}

Object.assign(process.env, {
  LOG_ENABLED: 'false',
  PDS_HOSTNAME: 'localhost',
  PDS_DEV_MODE: 'true',
  PDS_INVITE_REQUIRED: 'false',
  PDS_DID_PLC_URL: `http://localhost:${PLC_PORT}`,
  PDS_BLOBSTORE_DISK_LOCATION: `${process.env.PDS_DATA_DIRECTORY}/blobs`,
  PDS_DPOP_SECRET: secret(32),
  PDS_ADMIN_PASSWORD: secret(16),
  PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX: secret(32),
})

process.stdin.on('end', () => process.exit(0)).resume()
const { default: plc } = await import('@did-plc/server')
await plc.PlcServer.create({ db: plc.Database.mock(), port: Number(PLC_PORT) }).start()
const { PDS } = await import('@atproto/pds')
await PDS.run({ onStarted: () => console.log(`pds ready on ${PDS_PORT}`) })
process.exit(0)

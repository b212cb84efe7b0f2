// @ts-check
/** `npm run build`: what npm start and npm test do first, alone. */
import { setUp } from './setup.mjs';

setUp();

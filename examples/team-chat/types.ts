// Written by `stead types --lang ts` from the app's schema. Do not edit.

/** A user of `users`. */
export interface User {
  id: string;
  created_at: string;
  updated_at: string;
  version: number;
  email?: string;
  verified: boolean;
  name: string;
}

export interface UserCreate {
  id?: string;
  name: string;
}

export interface UserUpdate {
  name?: string;
}

/** A record of `rooms`. */
export interface Room {
  id: string;
  created_at: string;
  updated_at: string;
  version: number;
  name: string;
  topic: string | null;
  kind: "public" | "private";
  /** id of `users` */
  owner: string;
}

export interface RoomCreate {
  id?: string;
  name: string;
  topic?: string | null;
  kind?: "public" | "private";
  /** id of `users` */
  owner?: string;
}

export interface RoomUpdate {
  name?: string;
  topic?: string | null;
  kind?: "public" | "private";
}

/** A record of `members`. */
export interface Member {
  id: string;
  created_at: string;
  updated_at: string;
  version: number;
  /** id of `rooms` */
  room: string;
  /** id of `users` */
  user: string;
  role: "admin" | "member";
  muted_until: string | null;
}

export interface MemberCreate {
  id?: string;
  /** id of `rooms` */
  room: string;
  /** id of `users` */
  user: string;
  role?: "admin" | "member";
  muted_until?: string | null;
}

export interface MemberUpdate {
  role?: "admin" | "member";
  muted_until?: string | null;
}

/** A record of `messages`. */
export interface Message {
  id: string;
  created_at: string;
  updated_at: string;
  version: number;
  /** id of `rooms` */
  room: string;
  /** id of `users` */
  author: string;
  body: string;
}

export interface MessageCreate {
  id?: string;
  /** id of `rooms` */
  room: string;
  /** id of `users` */
  author?: string;
  body: string;
}

export interface MessageUpdate {
  body?: string;
}

export interface Collections {
  users: { record: User; create: UserCreate; update: UserUpdate };
  rooms: { record: Room; create: RoomCreate; update: RoomUpdate };
  members: { record: Member; create: MemberCreate; update: MemberUpdate };
  messages: { record: Message; create: MessageCreate; update: MessageUpdate };
}

/** The collection whose records are the users. */
export type UsersCollection = "users";
